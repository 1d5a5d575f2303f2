package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"sluice/shared/contract"
	"sluice/shared/contract/client"
)

// auditQuery is what an audit is of. Empty members do not narrow it.
type auditQuery struct {
	user, file string // the name, the path
	from, to   string // days
}

func (q *auditQuery) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&q.user, "user", "", "only what the user of that `name` downloaded")
	f.StringVar(&q.file, "file", "", "only of the file at that `path`")
	f.StringVar(&q.from, "from", "", "the first `day`, such as 2025-01-01 (default: 30 days before the last)")
	f.StringVar(&q.to, "to", "", "the last `day` (default: today; days are those of UTC)")
}

// ids returns the ids of the user and the file, nil where none is asked for.
func (q *auditQuery) ids(ctx context.Context, r *remote, c *client.Client) (user, file *string, err error) {
	if q.user != "" {
		u, err := userNamed(ctx, c, q.user)
		if err != nil {
			return nil, nil, err
		}
		user = &u.ID
	}
	if q.file != "" {
		f, err := r.file(ctx, c, q.file)
		if err != nil {
			return nil, nil, err
		}
		file = &f.ID
	}
	return user, file, nil
}

// given returns a pointer to s, nil where it is empty.
func given(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func auditCommand() *cobra.Command {
	var q auditQuery
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "List who downloaded what",
		Long: `List who downloaded what, the latest day first: when it was last asked for, how it
ended, the bytes that were sent, those that redirects to the store led to, the
user (- is nobody who was logged in), the address and the file. A line is what one
download took on one day. Admins see all files, others their own.

With --json each line is as the API tells it, with ids in place of names.`,
		Example: `  sluice admin audit
  sluice admin audit --user ada --from 2025-01-01 --to 2025-01-31
  sluice admin audit --owner ada --file reports/2025.pdf --json`,
		Args: takesNothing,
	}
	q.flags(cmd)
	return fileCommand(cmd, func(ctx context.Context, r *remote, _ []string) error {
		return r.call(ctx, func(c *client.Client) error {
			user, file, err := q.ids(ctx, r, c)
			if err != nil {
				return err
			}
			names := newNames(r, c)
			l := r.listing("LAST", "STATE", "SENT>", "REDIRECTED>", "USER", "FROM", "FILE")
			return eachPage(func(cursor *string) (string, error) {
				params := contract.ListDownloadsParams{Cursor: cursor, User: user, File: file, From: given(q.from), To: given(q.to)}
				page, err := client.Decode[contract.DownloadList](c.ListDownloads(ctx, &params))
				if err != nil {
					return "", err
				}
				for _, d := range page.Downloads {
					err := l.add(d, timeText(d.LastAt), string(d.State), fmt.Sprint(d.BytesDelivered), fmt.Sprint(d.BytesIssued),
						names.user(ctx, d.UserID), d.Client, names.file(ctx, d.FileID))
					if err != nil {
						return "", err
					}
				}
				return page.NextCursor, l.endPage()
			})
		})
	})
}

func usageCommand() *cobra.Command {
	var (
		q  auditQuery
		by string
	)
	cmd := &cobra.Command{
		Use:   "usage",
		Short: "Sum downloads up by user, file or day",
		Long: `Sum up what "sluice admin audit" lists, by user, file or day: how many downloads
there were, the bytes that were sent, and those that redirects to the store led
to. With --json each line is as the API tells it, with ids in place of names.`,
		Example: `  sluice admin usage
  sluice admin usage --by user --from 2025-01-01 --to 2025-01-31`,
		Args: takesNothing,
	}
	cmd.Flags().StringVar(&by, "by", string(contract.UsageKeyDay), "user, file or day")
	q.flags(cmd)
	return fileCommand(cmd, func(ctx context.Context, r *remote, _ []string) error {
		return r.call(ctx, func(c *client.Client) error {
			user, file, err := q.ids(ctx, r, c)
			if err != nil {
				return err
			}
			names := newNames(r, c)
			l := r.listing("DOWNLOADS>", "SENT>", "REDIRECTED>", "OF")
			return eachPage(func(cursor *string) (string, error) {
				params := contract.GetUsageParams{By: contract.UsageKey(by), Cursor: cursor, User: user, File: file, From: given(q.from), To: given(q.to)}
				page, err := client.Decode[contract.UsageList](c.GetUsage(ctx, &params))
				if err != nil {
					return "", err
				}
				for _, u := range page.Usage {
					err := l.add(u, fmt.Sprint(u.Downloads), fmt.Sprint(u.BytesDelivered), fmt.Sprint(u.BytesIssued), names.of(ctx, params.By, u.Key))
					if err != nil {
						return "", err
					}
				}
				return page.NextCursor, l.endPage()
			})
		})
	})
}

// names finds the names of ids, and asks for each once. What is gone, or not
// for whoever asks, keeps its id.
type names struct {
	client *client.Client
	off    bool // nobody will see them
	known  map[string]string
}

func newNames(r *remote, c *client.Client) *names {
	return &names{client: c, off: r.json, known: map[string]string{"": "-"}}
}

func (n *names) of(ctx context.Context, by contract.UsageKey, id string) string {
	switch by {
	case contract.UsageKeyUser:
		return n.user(ctx, id)
	case contract.UsageKeyFile:
		return n.file(ctx, id)
	default:
		return id
	}
}

func (n *names) user(ctx context.Context, id string) string {
	return n.find(id, func() (string, error) {
		u, err := client.Decode[contract.User](n.client.GetUser(ctx, id))
		return u.Username, err
	})
}

func (n *names) file(ctx context.Context, id string) string {
	return n.find(id, func() (string, error) {
		f, err := client.Decode[contract.File](n.client.GetFileInfo(ctx, id))
		return f.Owner + "/" + f.Path, err
	})
}

func (n *names) find(id string, ask func() (string, error)) string {
	if name, known := n.known[id]; known || n.off {
		return cmp.Or(name, id)
	}
	name, err := ask()
	if err != nil {
		name = id
	}
	n.known[id] = name
	return name
}
