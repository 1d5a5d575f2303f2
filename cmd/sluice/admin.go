package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"sluice/shared/app/local"
	"sluice/shared/app/setup"
	"sluice/shared/config"
)

func adminCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "admin",
		Short: "Set up and look after a deployment: stores, users, audit, imports",
	}, initCommand(), policyCommand(), rotateCommand(), importCommand(), usersCommand(), auditCommand(), usageCommand())
}

// settingsOf adds the flags of settings to a command; none named: all.
func settingsOf(cmd *cobra.Command, names ...string) {
	settings := flag.NewFlagSet(cmd.Name(), flag.ContinueOnError)
	config.Flags(settings, names...)
	cmd.Flags().AddGoFlagSet(settings)
}

func initCommand() *cobra.Command {
	var o setup.Options
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make tables, bucket, keys and the first admin",
		Long: `Make what a server needs: the tables, the bucket with its CORS and lifecycle rules
and its policy, the keys and the first admin. Each line says what was done. What
is so already is left alone, so it may be run again at any time; on the embedded
stores not while the server runs.`,
		Example: `  SLUICE_BLOB=s3://my-bucket SLUICE_TABLE=dynamodb://sluice sluice admin init
  sluice admin init --recovery --deletion-protection --policy tls-only`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := config.Load(givenFlags(cmd), os.Getenv)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			password, err := setup.Run(cmd.Context(), c, o, func(s setup.Step) { printStep(out, s) })
			if err != nil {
				return err
			}
			if password != "" && c.AdminPassword.Reveal() == "" {
				_, err = fmt.Fprintf(out, "\nThe password of the user admin, shown only this once:\n\n    %s\n\n", password)
			}
			return err
		},
	}
	settingsOf(cmd, "data", "blob", "table", "keys", "admin-password")
	cmd.Flags().BoolVar(&o.Tables.Recovery, "recovery", false, "switch on point-in-time recovery of the tables")
	cmd.Flags().BoolVar(&o.Tables.Protected, "deletion-protection", false, "protect the tables from deletion")
	cmd.Flags().StringSliceVar(&o.Policy, "policy", nil, "`preset` of the bucket's policy, in place of the one it has; `sluice admin policy presets` lists them"+
		" (default: tls-only on a bucket of Amazon's that has none)")
	return cmd
}

func rotateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Make new keys, which sign from now on",
		Long: `Make a new key in each ring, that of tokens and that of links, which signs from now
on. The old ones go on verifying what they have signed. Nothing is restarted:
servers read a file again within ten seconds; servers and functions read SSM's
Parameter Store and Secrets Manager within five minutes, and at once where they
meet a key that they do not know.`,
		Example: `  sluice admin rotate --data /var/lib/sluice
  SLUICE_KEYS=ssm:/sluice/prod sluice admin rotate`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := config.Load(givenFlags(cmd), os.Getenv)
			if err != nil {
				return err
			}
			if err := local.RotateKeys(cmd.Context(), c); err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), "keys                         rotated")
			return err
		},
	}
	settingsOf(cmd, "data", "keys")
	return cmd
}

// printStep writes the line of one step.
func printStep(out io.Writer, s setup.Step) {
	state := "already so"
	if len(s.Changes) > 0 {
		state = strings.Join(s.Changes, "; ")
	}
	switch {
	case s.Note != "" && len(s.Changes) == 0:
		state = "unchanged: " + s.Note
	case s.Note != "":
		state += "; " + s.Note
	}
	fmt.Fprintf(out, "%-28s %s\n", s.What, state)
}

func policyCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "policy",
		Short: "See and set who may reach the bucket past the server",
	}, policyGetCommand(), policySetCommand(), policyPresetsCommand())
}

func policyGetCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "get",
		Short: "Print the policy of the bucket",
		Example: `  sluice admin policy get
  sluice admin policy get --blob s3://my-bucket`,
		Args: noArguments,
		RunE: withBucket(func(cmd *cobra.Command, b *setup.Bucket, _ []string) error {
			policy, err := b.Policy(cmd.Context())
			if err == nil && policy == "" {
				fmt.Fprintln(cmd.ErrOrStderr(), "The bucket has no policy: it is private.")
				return nil
			}
			if err == nil {
				_, err = fmt.Fprintln(cmd.OutOrStdout(), policy)
			}
			return err
		}),
	}
	settingsOf(cmd, "blob")
	return cmd
}

func policySetCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "set PRESET…",
		Short: "Give the bucket the policy of one or more presets, in place of the one it has",
		Example: `  sluice admin policy set private
  sluice admin policy set tls-only public-read:images/`,
		Args: cobra.MinimumNArgs(1),
		RunE: withBucket(func(cmd *cobra.Command, b *setup.Bucket, presets []string) error {
			changed, err := b.SetPolicy(cmd.Context(), presets...)
			if err != nil {
				return err
			}
			state := "already so"
			if changed {
				state = "set"
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "policy %s: %s\n", strings.Join(presets, ", "), state)
			return err
		}),
	}
	settingsOf(cmd, "blob")
	return cmd
}

func policyPresetsCommand() *cobra.Command {
	r := &remote{}
	cmd := &cobra.Command{
		Use:     "presets",
		Short:   "List the presets",
		Example: "  sluice admin policy presets\n  sluice admin policy presets --json",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r.out = cmd.OutOrStdout()
			for _, p := range setup.Presets() {
				err := r.print(struct {
					Name string `json:"name"`
					What string `json:"what"`
				}{p.Name, p.What}, "%-20s %s", p.Name, p.What)
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&r.json, "json", false, "print JSON instead of words")
	return cmd
}

// withBucket runs a command on the bucket of the settings.
func withBucket(run func(*cobra.Command, *setup.Bucket, []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		c, err := config.Load(givenFlags(cmd), os.Getenv)
		if err != nil {
			return err
		}
		b, err := setup.OpenBucket(cmd.Context(), c)
		if err != nil {
			return err
		}
		return run(cmd, b, args)
	}
}
