package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sluice/shared/contract"
	"sluice/shared/contract/client"
	"sluice/shared/fault"
)

// fileCommand is remoteCommand with --owner, for a command on files.
func fileCommand(cmd *cobra.Command, run func(context.Context, *remote, []string) error) *cobra.Command {
	remote := &remote{}
	cmd.Flags().StringVar(&remote.owner, "owner", "", "whose files, by `username` (default: your own)")
	return remote.command(cmd, run)
}

// listParams asks for files of the owner whose paths begin with a prefix.
func (r *remote) listParams(prefix string, limit int) contract.ListFilesParams {
	p := contract.ListFilesParams{Prefix: &prefix, Limit: &limit}
	if r.owner != "" {
		p.Owner = &r.owner
	}
	return p
}

// file returns the file at a path: it comes first among those that begin so.
func (r *remote) file(ctx context.Context, c *client.Client, path string) (contract.File, error) {
	params := r.listParams(path, 1)
	list, err := client.Decode[contract.FileList](c.ListFiles(ctx, &params))
	if err == nil && (path == "" || len(list.Files) == 0 || list.Files[0].Path != path) {
		err = fault.Newf(fault.NotFound, "file_not_found", "There is no file %q.", path)
	}
	if err != nil {
		return contract.File{}, err
	}
	return list.Files[0], nil
}

func lsCommand() *cobra.Command {
	var long, recursive bool
	cmd := &cobra.Command{
		Use:   "ls [flags] [PREFIX]",
		Short: "List files",
		Long: `List the files whose paths begin with PREFIX, in byte order, one level of folders
at a time: end PREFIX in a slash to see what is in a folder. With -l each line
has the visibility, the size in bytes, the time of the last change and the path.
With --json each line is a file as the API tells it, or {"folder": "…/"}.`,
		Example: `  sluice ls
  sluice ls -l reports/
  sluice ls -R --json --owner ada`,
		Args: cobra.MaximumNArgs(1),
	}
	cmd.Flags().BoolVarP(&long, "long", "l", false, "visibility, size and time too")
	cmd.Flags().BoolVarP(&recursive, "recursive", "R", false, "what is in folders too")
	return fileCommand(cmd, func(ctx context.Context, r *remote, args []string) error {
		const page = 1000
		params := r.listParams(strings.Join(args, ""), page)
		if !recursive {
			slash := contract.DelimiterSlash
			params.Delimiter = &slash
		}
		return r.call(ctx, func(c *client.Client) error { return r.list(ctx, c, params, long) })
	})
}

// list prints all pages.
func (r *remote) list(ctx context.Context, c *client.Client, params contract.ListFilesParams, long bool) error {
	for {
		page, err := client.Decode[contract.FileList](c.ListFiles(ctx, &params))
		if err != nil {
			return err
		}
		if err := r.printPage(page, long); err != nil || page.NextCursor == "" {
			return err
		}
		params.Cursor = &page.NextCursor
	}
}

// printPage prints the files and folders of a page by path.
func (r *remote) printPage(page contract.FileList, long bool) error {
	files, folders := page.Files, page.Folders
	for len(files)+len(folders) > 0 {
		var err error
		if len(folders) == 0 || len(files) > 0 && files[0].Path < folders[0] {
			err = r.print(files[0], "%s", fileLine(files[0], long))
			files = files[1:]
		} else {
			err = r.print(struct {
				Folder string `json:"folder"`
			}{folders[0]}, "%s", folderLine(folders[0], long))
			folders = folders[1:]
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func fileLine(f contract.File, long bool) string {
	if !long {
		return shownText(f.Path)
	}
	return fmt.Sprintf("%-7s %14d %s %s", f.Visibility, f.Size, f.UpdatedAt.UTC().Format(time.RFC3339), shownText(f.Path))
}

func folderLine(folder string, long bool) string {
	if !long {
		return shownText(folder)
	}
	return fmt.Sprintf("%-7s %14s %-*s %s", "folder", "-", len("2006-01-02T15:04:05Z"), "-", shownText(folder))
}

func statCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "stat [flags] PATH",
		Short: "Show what is known of a file",
		Long: `Show what is known of a file: its size, its digest and whether that was verified,
who may see it, and the URL that "sluice get" takes.`,
		Example: "  sluice stat reports/2025.pdf\n  sluice stat --json reports/2025.pdf",
		Args:    cobra.ExactArgs(1),
	}
	return fileCommand(cmd, func(ctx context.Context, r *remote, args []string) error {
		return r.call(ctx, func(c *client.Client) error {
			f, err := r.file(ctx, c, args[0])
			if err != nil {
				return err
			}
			if r.json {
				return r.print(f, "")
			}
			return printFile(r.out, f, r.accounts.server)
		})
	})
}

func printFile(out io.Writer, f contract.File, server string) error {
	sum := string(f.DigestState)
	if f.SHA256 != "" {
		sum = shownText(f.SHA256) + " (" + sum + ")"
	}
	return printFields(out, [][2]string{
		{"path", f.Path},
		{"owner", f.Owner},
		{"size", sizeText(f.Size)},
		{"type", f.ContentType},
		{"visibility", string(f.Visibility)},
		{"delivery", string(f.Delivery)},
		{"sha-256", sum},
		{"etag", f.ETag},
		{"created", timeText(f.CreatedAt)},
		{"updated", timeText(f.UpdatedAt)},
		{"expires", timeText(f.ExpiresAt)},
		{"id", f.ID},
		{"version", f.VersionID},
		{"url", fileURL(server, f)},
	})
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format(time.RFC3339)
}

// fileURL is where a file is by its path.
func fileURL(server string, f contract.File) string {
	segments := strings.Split(f.Path, "/")
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	return server + "/file/" + url.PathEscape(f.Owner) + "/" + strings.Join(segments, "/")
}

func rmCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rm [flags] PATH…",
		Short: "Remove files",
		Long: `Remove files, one after the other; the first one that cannot be removed ends it.
Links to them end too. "sluice undelete" brings a file back for a while, by the id
that is printed in brackets.`,
		Example: "  sluice rm reports/2024.pdf reports/2025.pdf",
		Args:    cobra.MinimumNArgs(1),
	}
	return fileCommand(cmd, func(ctx context.Context, r *remote, args []string) error {
		return r.call(ctx, func(c *client.Client) error {
			for _, path := range args {
				f, err := r.file(ctx, c, path)
				if err == nil {
					err = client.Done(c.DeleteFile(ctx, f.ID, nil))
				}
				if err == nil {
					err = r.print(f, "removed %s (%s)", shownText(f.Path), shownText(f.ID))
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	})
}

func mvCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "mv [flags] PATH NEW-PATH",
		Short: "Give a file another path",
		Long: `Give a file another path; if that ends in a slash, the file keeps its name. A file
that is there already is never replaced. Links go on working.`,
		Example: "  sluice mv draft.pdf reports/2025.pdf\n  sluice mv draft.pdf reports/",
		Args:    cobra.ExactArgs(2),
	}
	return fileCommand(cmd, func(ctx context.Context, r *remote, args []string) error {
		to := args[1]
		if strings.HasSuffix(to, "/") {
			to += path.Base(args[0])
		}
		return r.call(ctx, func(c *client.Client) error {
			f, err := r.file(ctx, c, args[0])
			if err != nil {
				return err
			}
			f, err = client.Decode[contract.File](c.UpdateFile(ctx, f.ID, nil, contract.UpdateFileRequest{Path: &to}))
			if err != nil {
				return err
			}
			return r.print(f, "%s is now %s", shownText(args[0]), shownText(f.Path))
		})
	})
}

func linkCommand() *cobra.Command {
	var good time.Duration
	var revoked string
	cmd := &cobra.Command{
		Use:   "link [flags] PATH",
		Short: "Make a link that needs no login, or revoke one",
		Long: `Make a link to the file as it is now: whoever has the URL can download it without
a login until the link expires or the file is removed. With --revoke the link with
that id ends within seconds, and so do downloads by it; --json tells a link's id
when it is made.`,
		Example: `  sluice link big.iso
  sluice link --json --expires 24h big.iso
  sluice link --revoke 01JC5S4QH2N8V6W0Y3Z9K7M1XB big.iso`,
		Args: cobra.ExactArgs(1),
	}
	cmd.Flags().StringVar(&revoked, "revoke", "", "revoke the link with this `ID`, and make none")
	cmd.Flags().DurationVar(&good, "expires", 15*time.Minute, "how long the link is good; 168h at most")
	return fileCommand(cmd, func(ctx context.Context, r *remote, args []string) error {
		if revoked != "" && cmd.Flags().Changed("expires") {
			return mistake("--revoke makes no link, so that --expires has no meaning beside it.")
		}
		seconds := int(good / time.Second)
		return r.call(ctx, func(c *client.Client) error {
			f, err := r.file(ctx, c, args[0])
			if err != nil {
				return err
			}
			if revoked != "" {
				return r.revokeLink(ctx, c, f, revoked)
			}
			link, err := client.Decode[contract.Link](c.CreateLink(ctx, f.ID, contract.LinkRequest{ExpiresIn: &seconds}))
			if err != nil {
				return err
			}
			return r.print(link, "%s", shownText(link.URL))
		})
	})
}

// revokeLink ends a link to a file.
func (r *remote) revokeLink(ctx context.Context, c *client.Client, f contract.File, id string) error {
	if err := client.Done(c.RevokeLink(ctx, f.ID, id)); err != nil {
		return err
	}
	return r.print(struct {
		ID string `json:"id"`
	}{id}, "revoked %s", shownText(id))
}
