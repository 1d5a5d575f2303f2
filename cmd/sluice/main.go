// Command sluice hands large files to people: resumable, verified, accounted
// for. `sluice serve` is the whole server.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

// version is set by the linker.
var version = "devel" //nolint:gochecknoglobals // the linker can set nothing else

func main() {
	root := &cobra.Command{
		Use:           "sluice",
		Short:         "Hand large files to people: resumable, verified, accounted for",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(serveCommand(), versionCommand())
	if err := root.Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "sluice:", err)
		os.Exit(1)
	}
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "sluice", version)
			return err
		},
	}
}
