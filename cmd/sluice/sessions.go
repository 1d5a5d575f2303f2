package main

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/spf13/cobra"

	"sluice/shared/contract"
	"sluice/shared/contract/client"
)

func sessionsCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "sessions",
		Short: "See, renew and end your download sessions",
		Long: `See, renew and end your download sessions. A session keeps one version of a file for one
download, by URLs that need no login, until it is over or ended.`,
	}, sessionsListCommand(), sessionsShowCommand(), sessionsRenewCommand(), sessionsEndCommand())
}

func sessionsListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List your open sessions",
		Long: `List your open sessions, the one begun first first: its id, when it is over, the
size and the name of the file. With --json each line is a session as the API tells
it; its URLs are secrets, for whoever has one can download the file.`,
		Example: "  sluice sessions list\n  sluice sessions list --json",
		Args:    takesNothing,
	}
	return remoteCommand(cmd, func(ctx context.Context, r *remote, _ []string) error {
		return r.call(ctx, func(c *client.Client) error {
			list, err := client.Decode[contract.DownloadSessionList](c.ListSessions(ctx))
			if err != nil {
				return err
			}
			l := r.listing("ID", "ENDS", "SIZE>", "NAME")
			for _, s := range list.Sessions {
				if err := l.add(s, s.ID, timeText(s.ExpiresAt), fmt.Sprint(s.Size), s.Name); err != nil {
					return err
				}
			}
			return l.endPage()
		})
	})
}

func sessionsShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show [flags] ID",
		Short: "Show a session, with the URLs that it delivers by",
		Long: `Show a session, with the URLs that it delivers by. They are secrets: whoever has
one can download the file until the session is over.`,
		Example: "  sluice sessions show 01JC5S4QH2N8V6W0Y3Z9K7M1XB",
		Args:    cobra.ExactArgs(1),
	}
	return sessionCommand(cmd, (*client.Client).GetSession)
}

func printSession(out io.Writer, s contract.DownloadSession) error {
	lines := [][2]string{
		{"id", s.ID},
		{"name", s.Name},
		{"size", sizeText(s.Size)},
		{"sha-256", s.SHA256},
		{"etag", s.ETag},
		{"file", s.FileID},
		{"version", s.VersionID},
		{"ends", timeText(s.ExpiresAt)},
		{"renewable", "until " + timeText(s.Limits.RenewableUntil)},
	}
	for _, source := range s.Sources {
		lines = append(lines, [2]string{"url", source.URL})
	}
	return printFields(out, lines)
}

func sessionsRenewCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "renew [flags] ID",
		Short: "Put a session's end off",
		Long: `Put a session's end off, as far as it may be: a week from its beginning at most. It
is shown with the new URLs that it delivers by, which are secrets.`,
		Example: "  sluice sessions renew 01JC5S4QH2N8V6W0Y3Z9K7M1XB",
		Args:    cobra.ExactArgs(1),
	}
	return sessionCommand(cmd, (*client.Client).RenewSession)
}

// sessionCommand asks for a session, in one way or another, and shows it.
func sessionCommand(cmd *cobra.Command, ask func(*client.Client, context.Context, contract.SessionID, ...client.RequestEditorFn) (*http.Response, error)) *cobra.Command {
	return remoteCommand(cmd, func(ctx context.Context, r *remote, args []string) error {
		return r.call(ctx, func(c *client.Client) error {
			s, err := client.Decode[contract.DownloadSession](ask(c, ctx, args[0]))
			if err != nil {
				return err
			}
			if r.json {
				return r.print(s, "")
			}
			return printSession(r.out, s)
		})
	})
}

func sessionsEndCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "end [flags] ID…",
		Short: "End sessions",
		Long: `End sessions, one after the other; the first one that cannot be ended ends the
command. Their URLs stop at once, and what flows through them within seconds.`,
		Example: "  sluice sessions end 01JC5S4QH2N8V6W0Y3Z9K7M1XB",
		Args:    cobra.MinimumNArgs(1),
	}
	return remoteCommand(cmd, func(ctx context.Context, r *remote, args []string) error {
		return r.call(ctx, func(c *client.Client) error {
			for _, id := range args {
				err := client.Done(c.DeleteSession(ctx, id))
				if err == nil {
					err = r.print(struct {
						ID string `json:"id"`
					}{id}, "ended %s", shownText(id))
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	})
}
