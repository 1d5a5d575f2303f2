package cloud

import (
	"context"
	"net/url"

	"sluice/shared/table"
	"sluice/shared/table/dynamotable"
)

// Tables are the two tables of a deployment in one DynamoDB.
type Tables struct {
	Store  *dynamotable.Store
	Domain string // the name of the table of users, files, versions
	Hot    string // the name of that of what changes often
}

// OpenTables returns the tables that a URL names: dynamodb://table?options.
// docs/operations.md describes the options. The caller closes the Store, which
// is not asked.
func OpenTables(ctx context.Context, u *url.URL) (Tables, error) {
	cfg, err := load(ctx, u)
	if err != nil {
		return Tables{}, err
	}
	t := Tables{Store: dynamotable.Open(cfg), Domain: u.Host, Hot: u.Query().Get("hot")}
	if t.Hot == "" {
		t.Hot = t.Domain + "-hot"
	}
	return t, nil
}

// Names returns the names of all tables.
func (t Tables) Names() []string { return []string{t.Domain, t.Hot} }

// Open returns the drivers of both tables. They must be there.
func (t Tables) Open(ctx context.Context) (domain, hot table.Driver, err error) {
	if domain, err = t.Store.Table(ctx, t.Domain); err != nil {
		return nil, nil, err
	}
	hot, err = t.Store.Table(ctx, t.Hot)
	return domain, hot, err
}
