// Command sluice hands large files to people: resumable, verified, accounted
// for. `sluice serve` is the whole server.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

// version is set by the linker.
var version = "devel"

func main() {
	if err := rootCommand().Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "sluice:", explain(err))
		os.Exit(exitCode(err))
	}
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "sluice",
		Short: "Hand large files to people: resumable, verified, accounted for",
		Long: `Sluice hands large files to people: resumable, verified, accounted for.
To begin, run: sluice serve`,
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetVersionTemplate("sluice {{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())
	})
	root.AddCommand(serveCommand(), getCommand(), putCommand(), adminCommand(), versionCommand())
	root.AddCommand(loginCommand(), logoutCommand(), whoamiCommand(), passwdCommand(), profilesCommand())
	root.AddCommand(lsCommand(), statCommand(), catCommand(), linkCommand(), mvCommand(), rmCommand(), undeleteCommand(), setCommand())
	root.AddCommand(versionsCommand(), sessionsCommand(), verifyCommand(), docsCommand())
	return root
}

func versionCommand() *cobra.Command {
	r := &remote{}
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  sluice version\n  sluice version --json",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r.out = cmd.OutOrStdout()
			return r.print(struct {
				Version string `json:"version"`
			}{version}, "sluice %s", version)
		},
	}
	cmd.Flags().BoolVar(&r.json, "json", false, "print JSON instead of words")
	return cmd
}

// group is a command that only has others under it.
func group(cmd *cobra.Command, commands ...*cobra.Command) *cobra.Command {
	cmd.AddCommand(commands...)
	cmd.Use, cmd.DisableFlagsInUseLine = cmd.Use+" COMMAND", true
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		err := mistake("%s has no command %q. See %[1]s --help.", cmd.CommandPath(), args[0])
		return withExitCode(cmd.Context(), err)
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	return cmd
}

// noArguments is cobra.NoArgs in words that fit a command without commands of
// its own.
func noArguments(cmd *cobra.Command, args []string) error {
	if err := takesNothing(cmd, args); err != nil {
		return fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())
	}
	return nil
}

// takesNothing is noArguments where the help is pointed to anyway.
func takesNothing(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s takes no arguments, and got %q", cmd.CommandPath(), args[0])
	}
	return nil
}
