package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"sluice/shared/contract"
	"sluice/shared/contract/client"
)

func versionsCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "versions",
		Short: "See and restore versions of a file",
		Long: `See and restore versions of a file. A version that was replaced is kept for a
while, which the server's SLUICE_KEEP sets.`,
	}, versionsListCommand(), versionsRestoreCommand())
}

func versionsListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list [flags] PATH",
		Short: "List the versions of a file",
		Long: `List the versions of a file, the one whose upload began last first: its id, when it
last became current, until when it is kept, its size, and who sent it.`,
		Example: "  sluice versions list reports/2025.pdf\n  sluice versions list --json reports/2025.pdf",
		Args:    cobra.ExactArgs(1),
	}
	return fileCommand(cmd, func(ctx context.Context, r *remote, args []string) error {
		return r.call(ctx, func(c *client.Client) error {
			f, err := r.file(ctx, c, args[0])
			if err != nil {
				return err
			}
			l := r.listing("ID", "MODIFIED", "KEPT UNTIL", "SIZE>", "BY")
			return eachPage(func(cursor *string) (string, error) {
				page, err := client.Decode[contract.VersionList](c.ListVersions(ctx, f.ID, &contract.ListVersionsParams{Cursor: cursor}))
				if err != nil {
					return "", err
				}
				for _, v := range page.Versions {
					if err := l.add(v, v.VersionID, timeText(v.ModifiedAt), keptText(v), fmt.Sprint(v.Size), v.CreatedBy); err != nil {
						return "", err
					}
				}
				return page.NextCursor, l.endPage()
			})
		})
	})
}

// keptText says until when a version is there.
func keptText(v contract.Version) string {
	switch {
	case v.Current:
		return "current"
	case v.Changed:
		return "lost: its object has changed"
	default:
		return timeText(v.KeptUntil)
	}
}

func versionsRestoreCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "restore [flags] PATH VERSION",
		Short: "Make a version of a file the current one",
		Long: `Make a version of a file the current one again; "sluice versions list" shows the
ids. The one that was current is kept in its place.`,
		Example: "  sluice versions restore reports/2025.pdf 01JC5S4QH2N8V6W0Y3Z9K7M1XB",
		Args:    cobra.ExactArgs(2),
	}
	return fileCommand(cmd, func(ctx context.Context, r *remote, args []string) error {
		return r.call(ctx, func(c *client.Client) error {
			f, err := r.file(ctx, c, args[0])
			if err != nil {
				return err
			}
			f, err = client.Decode[contract.File](c.RestoreFile(ctx, f.ID, nil, contract.RestoreRequest{VersionID: args[1]}))
			if err != nil {
				return err
			}
			return r.print(f, "%s is version %s again", shownText(f.Path), shownText(f.VersionID))
		})
	})
}
