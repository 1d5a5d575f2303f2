package amazon

import (
	"context"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"

	"sluice/shared/table"
	"sluice/shared/table/dynamotable"
)

// Tables are the two tables of a deployment in one DynamoDB.
type Tables struct {
	Store  *dynamotable.Store
	Domain string // the name of the table of users, files, versions
	Hot    string // the name of that of what changes often
}

// NewTables returns the tables that a URL names: dynamodb://table?options.
// docs/operations.md describes the options. The caller closes the Store, which
// is not asked.
func NewTables(cfg aws.Config, u *url.URL) Tables {
	t := Tables{Store: dynamotable.Open(cfg), Domain: u.Host, Hot: u.Query().Get("hot")}
	if t.Hot == "" {
		t.Hot = t.Domain + "-hot"
	}
	return t
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

// OpenLate is Open that asks nothing: what Open refuses, the first call of a
// driver does.
func (t Tables) OpenLate() (domain, hot table.Driver) {
	return t.Store.TableLate(t.Domain), t.Store.TableLate(t.Hot)
}
