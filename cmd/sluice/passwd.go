package main

import (
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"sluice/shared/contract"
	"sluice/shared/contract/client"
)

func passwdCommand() *cobra.Command {
	var fromStdin bool
	cmd := &cobra.Command{
		Use:   "passwd",
		Short: "Change your password",
		Long: `Change your password. The old one is asked for, and the new one twice; with
--password-stdin they are the first two lines of standard input. It ends every
other login of yours.`,
		Example: "  sluice passwd\n  cat old.txt new.txt | sluice passwd --password-stdin",
		Args:    takesNothing,
	}
	cmd.Flags().BoolVar(&fromStdin, "password-stdin", false, "read the old and the new password from standard input")
	return remoteCommand(cmd, func(ctx context.Context, r *remote, _ []string) error {
		old, fresh, err := readPasswords(ctx, cmd, fromStdin)
		if err != nil {
			return err
		}
		return r.call(ctx, func(c *client.Client) error {
			me, err := client.Decode[contract.Profile](c.UpdateProfile(ctx, contract.UpdateProfileRequest{OldPassword: &old, Password: &fresh}))
			if err != nil {
				return err
			}
			return r.print(me, "%s has a new password at %s", shownText(me.Username), r.accounts.server)
		})
	})
}

// readPasswords reads the old password and a new one.
func readPasswords(ctx context.Context, cmd *cobra.Command, fromStdin bool) (old, fresh string, err error) {
	if !fromStdin {
		if old, err = readPassword(ctx, cmd, false, "Old password: "); err == nil {
			fresh, err = readNewPassword(ctx, cmd, false)
		}
		return old, fresh, err
	}
	const longest = 4 << 10
	text, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), longest))
	lines := strings.Split(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n")
	if err == nil && len(lines) < 2 {
		err = mistake("The old and the new password are two lines of standard input.")
	}
	if err != nil {
		return "", "", err
	}
	return lines[0], lines[1], nil
}
