package main

import (
	"context"
	"fmt"
	"io"

	"github.com/oapi-codegen/nullable"
	"github.com/spf13/cobra"

	"sluice/shared/contract"
	"sluice/shared/contract/client"
	"sluice/shared/fault"
)

func usersCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "users",
		Short: "See and change the users of a server",
		Long: `See and change the users of a server, as an admin who is logged in, or by
SLUICE_TOKEN.`,
	}, usersListCommand(), usersShowCommand(), usersAddCommand(), usersSetCommand(),
		usersEnableCommand(), usersDisableCommand(), usersRmCommand())
}

func usersListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the users",
		Example: "  sluice admin users list\n  sluice admin users list --json",
		Args:    takesNothing,
	}
	return remoteCommand(cmd, func(ctx context.Context, r *remote, _ []string) error {
		return r.call(ctx, func(c *client.Client) error {
			l := r.listing("USER", "ROLE", "STATE", "MADE", "NAME")
			return eachPage(func(cursor *string) (string, error) {
				page, err := usersPage(ctx, c, cursor)
				if err != nil {
					return "", err
				}
				for _, u := range page.Users {
					if err := l.add(u, u.Username, string(u.Role), userState(u), timeText(u.CreatedAt), u.DisplayName); err != nil {
						return "", err
					}
				}
				return page.NextCursor, l.endPage()
			})
		})
	})
}

func userState(u contract.User) string {
	if u.Disabled {
		return "disabled"
	}
	return "enabled"
}

func usersPage(ctx context.Context, c *client.Client, cursor *string) (contract.UserList, error) {
	most := 1000
	return client.Decode[contract.UserList](c.ListUsers(ctx, &contract.ListUsersParams{Cursor: cursor, Limit: &most}))
}

// userNamed returns the user of that name. The API lists users by name.
func userNamed(ctx context.Context, c *client.Client, name string) (found contract.User, err error) {
	err = eachPage(func(cursor *string) (string, error) {
		page, err := usersPage(ctx, c, cursor)
		if err != nil {
			return "", err
		}
		for _, u := range page.Users {
			if u.Username == name {
				found = u
				return "", nil
			}
		}
		return page.NextCursor, nil
	})
	if err == nil && found.ID == "" {
		err = fault.Newf(fault.NotFound, "user_not_found", "There is no user %q.", name)
	}
	return found, err
}

func usersShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show [flags] USERNAME",
		Short:   "Show a user, with quota and use",
		Example: "  sluice admin users show ada",
		Args:    cobra.ExactArgs(1),
	}
	return remoteCommand(cmd, func(ctx context.Context, r *remote, args []string) error {
		return r.call(ctx, func(c *client.Client) error {
			u, err := userNamed(ctx, c, args[0])
			if err == nil {
				u, err = client.Decode[contract.User](c.GetUser(ctx, u.ID))
			}
			if err != nil {
				return err
			}
			if r.json {
				return r.print(u, "")
			}
			return printUser(r.out, u)
		})
	})
}

func printUser(out io.Writer, u contract.User) error {
	bytes, files := "no bound", "no bound"
	if u.QuotaBytes != nil {
		bytes = sizeText(*u.QuotaBytes)
	}
	if u.QuotaFiles != nil {
		files = fmt.Sprint(*u.QuotaFiles)
	}
	if u.Used != nil {
		bytes = sizeText(u.Used.Bytes) + " of " + bytes
		files = fmt.Sprint(u.Used.Files) + " of " + files
	}
	return printFields(out, [][2]string{
		{"user", u.Username},
		{"name", u.DisplayName},
		{"role", string(u.Role)},
		{"state", userState(u)},
		{"bytes", bytes},
		{"files", files},
		{"created", timeText(u.CreatedAt)},
		{"updated", timeText(u.UpdatedAt)},
		{"id", u.ID},
	})
}

func usersAddCommand() *cobra.Command {
	var (
		ask       contract.CreateUserRequest
		role      string
		fromStdin bool
	)
	cmd := &cobra.Command{
		Use:   "add [flags] USERNAME",
		Short: "Make a user",
		Long: `Make a user. The password is asked for, twice, or is the first line of standard
input with --password-stdin.`,
		Example: `  sluice admin users add ada
  pwgen -s 20 1 | tee ada.txt | sluice admin users add --role guest --password-stdin ada`,
		Args: cobra.ExactArgs(1),
	}
	cmd.Flags().StringVar(&role, "role", string(contract.RoleUser), "guest, user or admin")
	cmd.Flags().StringVar(&ask.DisplayName, "display-name", "", "`name` for people")
	cmd.Flags().BoolVar(&fromStdin, "password-stdin", false, "read the password from standard input")
	return remoteCommand(cmd, func(ctx context.Context, r *remote, args []string) (err error) {
		ask.Username, ask.Role = args[0], contract.Role(role)
		if ask.Password, err = readNewPassword(ctx, cmd, fromStdin); err != nil {
			return err
		}
		return r.call(ctx, func(c *client.Client) error {
			u, err := client.Decode[contract.User](c.CreateUser(ctx, ask))
			if err != nil {
				return err
			}
			return r.print(u, "made the %s %s", u.Role, shownText(u.Username))
		})
	})
}

func usersSetCommand() *cobra.Command {
	var (
		role, displayName, quotaBytes, quotaFiles string
		newPassword, fromStdin                    bool
	)
	cmd := &cobra.Command{
		Use:   "set [flags] USERNAME",
		Short: "Change the role, the quotas, the name or the password of a user",
		Long: `Change the role, the quotas, the name or the password of a user: what is given is
changed, all at once. With --password a new password is asked for, twice; with
--password-stdin it is the first line of standard input. It ends every login of
the user.`,
		Example: `  sluice admin users set --quota-bytes 100G --quota-files 10000 ada
  sluice admin users set --quota-bytes none --role admin ada
  sluice admin users set --password ada`,
		Args: cobra.ExactArgs(1),
	}
	f := cmd.Flags()
	f.StringVar(&role, "role", "", "guest, user or admin")
	f.StringVar(&displayName, "display-name", "", "`name` for people")
	f.StringVar(&quotaBytes, "quota-bytes", "", "how many `bytes` the user may have, such as 500M or 10G; none: any")
	f.StringVar(&quotaFiles, "quota-files", "", "how many `files` the user may have; none: any")
	f.BoolVar(&newPassword, "password", false, "ask for a new password")
	f.BoolVar(&fromStdin, "password-stdin", false, "read a new password from standard input")
	return remoteCommand(cmd, func(ctx context.Context, r *remote, args []string) (err error) {
		var ask contract.UpdateUserRequest
		if role != "" {
			ask.Role = (*contract.Role)(&role)
		}
		if f.Changed("display-name") {
			ask.DisplayName = &displayName
		}
		ask.QuotaBytes, err = parseQuota("--quota-bytes", quotaBytes, parseBytes)
		if err == nil {
			ask.QuotaFiles, err = parseQuota("--quota-files", quotaFiles, parseCount)
		}
		if err != nil {
			return err
		}
		if newPassword || fromStdin {
			password, err := readNewPassword(ctx, cmd, fromStdin)
			if err != nil {
				return err
			}
			ask.Password = &password
		}
		if ask.Role == nil && ask.DisplayName == nil && ask.Password == nil && !ask.QuotaBytes.IsSpecified() && !ask.QuotaFiles.IsSpecified() {
			return mistake("Nothing says what to change. See %s --help.", cmd.CommandPath())
		}
		return r.changeUsers(ctx, args, ask, "changed")
	})
}

// parseQuota reads a bound; "none" takes it away, and "" leaves it as it is.
func parseQuota(flag, text string, parse func(string) (int64, error)) (nullable.Nullable[int64], error) {
	switch text {
	case "":
		return nil, nil
	case "none":
		return nullable.NewNullNullable[int64](), nil
	}
	n, err := parse(text)
	if err != nil {
		return nil, mistake("%s is a number of 0 or more, or none, and not %q.", flag, text)
	}
	return nullable.NewNullableWithValue(n), nil
}

func usersEnableCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "enable [flags] USERNAME…",
		Short:   "Let users in again",
		Example: "  sluice admin users enable ada",
		Args:    cobra.MinimumNArgs(1),
	}
	return remoteCommand(cmd, func(ctx context.Context, r *remote, args []string) error {
		disabled := false
		return r.changeUsers(ctx, args, contract.UpdateUserRequest{Disabled: &disabled}, "enabled")
	})
}

func usersDisableCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "disable [flags] USERNAME…",
		Short: "Keep users out",
		Long: `Keep users out: their logins and links end, and downloads that run stop within
seconds. Their files stay.`,
		Example: "  sluice admin users disable ada",
		Args:    cobra.MinimumNArgs(1),
	}
	return remoteCommand(cmd, func(ctx context.Context, r *remote, args []string) error {
		disabled := true
		return r.changeUsers(ctx, args, contract.UpdateUserRequest{Disabled: &disabled}, "disabled")
	})
}

// changeUsers changes users one after the other.
func (r *remote) changeUsers(ctx context.Context, names []string, ask contract.UpdateUserRequest, done string) error {
	return r.eachUser(ctx, names, func(c *client.Client, u contract.User) error {
		u, err := client.Decode[contract.User](c.UpdateUser(ctx, u.ID, ask))
		if err != nil {
			return err
		}
		return r.print(u, "%s %s", done, shownText(u.Username))
	})
}

// eachUser calls do for one user after the other, until one fails.
func (r *remote) eachUser(ctx context.Context, names []string, do func(*client.Client, contract.User) error) error {
	return r.call(ctx, func(c *client.Client) error {
		for _, name := range names {
			u, err := userNamed(ctx, c, name)
			if err == nil {
				err = do(c, u)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func usersRmCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rm [flags] USERNAME…",
		Short: "Remove users who have no files",
		Long: `Remove users, one after the other; the first one who cannot be removed ends the
command. Who has files stays: remove these first, or disable the user.`,
		Example: "  sluice admin users rm ada",
		Args:    cobra.MinimumNArgs(1),
	}
	return remoteCommand(cmd, func(ctx context.Context, r *remote, args []string) error {
		return r.eachUser(ctx, args, func(c *client.Client, u contract.User) error {
			if err := client.Done(c.DeleteUser(ctx, u.ID)); err != nil {
				return err
			}
			return r.print(u, "removed %s", shownText(u.Username))
		})
	})
}
