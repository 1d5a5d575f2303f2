package main

import (
	"context"
	"time"

	"github.com/oapi-codegen/nullable"
	"github.com/spf13/cobra"

	"sluice/shared/contract"
	"sluice/shared/contract/client"
)

func setCommand() *cobra.Command {
	var visibility, contentType, delivery, expires string
	cmd := &cobra.Command{
		Use:   "set [flags] PATH…",
		Short: "Change who sees files, their type, or when they end",
		Long: `Change who sees files, their content type, how their bytes leave, or when they are
removed: what is given is changed, file by file. A public file is delivered to
whoever knows its URL.`,
		Example: `  sluice set --visibility public logo.svg
  sluice set --expires 720h drafts/a.pdf drafts/b.pdf
  sluice set --expires never --type application/pdf drafts/a.pdf`,
		Args: cobra.MinimumNArgs(1),
	}
	f := cmd.Flags()
	f.StringVar(&visibility, "visibility", "", "public or private")
	f.StringVar(&contentType, "type", "", "the content type, such as text/csv")
	f.StringVar(&delivery, "delivery", "", "how the bytes leave: auto, stream or redirect")
	f.StringVar(&expires, "expires", "", "in how long the file is removed, such as 720h; or never")
	return fileCommand(cmd, func(ctx context.Context, r *remote, args []string) error {
		change, err := fileChange(visibility, contentType, delivery, expires, time.Now())
		if err != nil {
			return err
		}
		return r.call(ctx, func(c *client.Client) error {
			for _, path := range args {
				file, err := r.file(ctx, c, path)
				if err == nil {
					file, err = client.Decode[contract.File](c.UpdateFile(ctx, file.ID, nil, change))
				}
				if err == nil {
					err = r.print(file, "%s is %s, of type %s, and expires %s", shownText(file.Path), file.Visibility, shownText(file.ContentType), timeText(file.ExpiresAt))
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// fileChange returns what flags ask to change; "" is left as it is.
func fileChange(visibility, contentType, delivery, expires string, now time.Time) (contract.UpdateFileRequest, error) {
	var change contract.UpdateFileRequest
	if visibility == "" && contentType == "" && delivery == "" && expires == "" {
		return change, mistake("Nothing says what to change. See sluice set --help.")
	}
	if v := contract.Visibility(visibility); visibility != "" {
		if !v.Valid() {
			return change, mistake("--visibility is public or private, and not %q.", visibility)
		}
		change.Visibility = &v
	}
	if d := contract.Delivery(delivery); delivery != "" {
		if !d.Valid() {
			return change, mistake("--delivery is auto, stream or redirect, and not %q.", delivery)
		}
		change.Delivery = &d
	}
	if contentType != "" {
		change.ContentType = &contentType
	}
	switch after, err := time.ParseDuration(expires); {
	case expires == "":
	case expires == "never":
		change.ExpiresAt = nullable.NewNullNullable[time.Time]()
	case err != nil || after <= 0:
		return change, mistake("--expires is such as 720h, or never, and not %q.", expires)
	default:
		change.ExpiresAt = nullable.NewNullableWithValue(now.Add(after).UTC())
	}
	return change, nil
}
