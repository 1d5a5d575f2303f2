package main

import (
	"context"

	"github.com/spf13/cobra"

	"sluice/shared/contract"
	"sluice/shared/contract/client"
)

func undeleteCommand() *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use:   "undelete [flags] ID",
		Short: "Bring a removed file back",
		Long: `Bring a removed file back, with the versions of it that are kept, to the path it
had or to another one. "sluice rm" tells the id; a removed file is kept for a while,
which the server's SLUICE_KEEP sets. Links to it do not come back to life.`,
		Example: "  sluice undelete 01JC5S4QH2N8V6W0Y3Z9K7M1XB\n  sluice undelete --path reports/old.pdf 01JC5S4QH2N8V6W0Y3Z9K7M1XB",
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().StringVar(&to, "path", "", "the `PATH` it comes back to (default: the one it had)")
	return remoteCommand(cmd, func(ctx context.Context, r *remote, args []string) error {
		return r.call(ctx, func(c *client.Client) error {
			var body contract.UndeleteRequest
			if to != "" {
				body.Path = &to
			}
			f, err := client.Decode[contract.File](c.UndeleteFile(ctx, args[0], body))
			if err != nil {
				return err
			}
			return r.print(f, "%s is there again", shownText(f.Path))
		})
	})
}
