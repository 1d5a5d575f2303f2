package main

import (
	"context"
	"net/url"

	"github.com/spf13/cobra"

	"sluice/shared/contract/client"
)

func catCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cat [flags] PATH…",
		Short: "Write files to standard output",
		Long: `Write files to standard output, one after the other, resumed where a connection
breaks and verified as "sluice get -o -" does it. With --json that is told on
standard error, as "sluice get --json" tells it.`,
		Example: "  sluice cat logs/2025.gz | zcat | tail",
		Args:    cobra.MinimumNArgs(1),
	}
	return fileCommand(cmd, func(ctx context.Context, r *remote, args []string) error {
		for _, path := range args {
			content := ""
			err := r.call(ctx, func(c *client.Client) error {
				f, err := r.file(ctx, c, path)
				content = r.accounts.server + "/api/files/" + url.PathEscape(f.ID) + "/content"
				return err
			})
			if err != nil {
				return err
			}
			s := getSettings{output: "-", connections: defaultConnections, retries: defaultRetries, json: r.json, quiet: true}
			if err := s.get(ctx, r.accounts, []string{content}, cmd.OutOrStdout(), cmd.ErrOrStderr()); err != nil {
				return err
			}
		}
		return nil
	})
}
