package catalog

import (
	"context"
	"strings"

	"sluice/shared/table"
)

// Listing asks for an owner's files whose paths begin with Prefix, in the
// order of their bytes.
type Listing struct {
	Owner      string // a user id
	Prefix     string
	Folders    bool // fold what follows the next slash after Prefix into one folder
	Descending bool
	After      string // go on behind this entry: the Last of the listing before
	Limit      int    // entries at most, folders included
}

// Listed is one page of a Listing.
type Listed struct {
	Files   []File
	Folders []string // each ends in a slash
	Last    string   // the last entry looked at: a path or a folder
	More    bool
}

// List returns one page. A file that is changed meanwhile is listed as it was
// or as it is; one that is there throughout is never missed.
func (c *Catalog) List(ctx context.Context, l Listing) (Listed, error) {
	var (
		out   Listed
		found []table.Key
		from  = l.bounds()
	)
	for len(found)+len(out.Folders) < l.Limit {
		from.Limit = l.Limit - len(found) - len(out.Folders)
		page, err := c.table.Query(ctx, from)
		if err != nil {
			return Listed{}, err
		}
		var folder string
		for _, item := range page.Items {
			path := item.Key.SK
			if folder != "" && strings.HasPrefix(path, folder) {
				continue
			}
			if folder = l.folder(path); folder != "" {
				out.Folders, out.Last = append(out.Folders, folder), folder
				continue
			}
			found, out.Last = append(found, fileKey(reader{item.Attrs}.str("id"))), path
		}
		if out.More = page.More; !page.More {
			break
		}
		l.behind(&from, out.Last)
	}
	var err error
	out.Files, err = c.listed(ctx, found)
	return out, err
}

// folder returns the folder that path is folded into, or "".
func (l Listing) folder(path string) string {
	if !l.Folders {
		return ""
	}
	i := strings.IndexByte(path[len(l.Prefix):], '/')
	if i < 0 {
		return ""
	}
	return path[:len(l.Prefix)+i+1]
}

func (l Listing) bounds() table.Query {
	q := table.Query{PK: locationPartition(l.Owner), From: l.Prefix, Descending: l.Descending}
	if l.Prefix != "" {
		q.To = table.After(l.Prefix)
	}
	if l.After != "" {
		l.behind(&q, l.After)
	}
	return q
}

// behind narrows q to what follows entry. A folder is followed by what is
// behind everything in it.
func (l Listing) behind(q *table.Query, entry string) {
	folder := strings.HasSuffix(entry, "/")
	switch {
	case l.Descending:
		q.To = entry
	case folder:
		q.From = table.After(entry)
	default:
		q.From = table.Next(entry)
	}
}

// listed reads the records, and leaves out those that went meanwhile.
func (c *Catalog) listed(ctx context.Context, keys []table.Key) ([]File, error) {
	items, err := c.table.GetMany(ctx, keys)
	if err != nil {
		return nil, err
	}
	files := make([]File, 0, len(items))
	for _, item := range items {
		f, err := readFile(item)
		if err != nil {
			return nil, err
		}
		if !c.gone(f) {
			files = append(files, f)
		}
	}
	return files, nil
}
