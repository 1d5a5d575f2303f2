package catalog_test

import (
	"context"
	"sync"
	"testing"

	"sluice/shared/catalog"
	"sluice/shared/fault"
	"sluice/shared/table"
)

// raise gives an item a record format that this program does not know.
func (s *store) raise(key table.Key) {
	s.t.Helper()
	op := table.Op{Action: table.Update, Key: key, Set: table.Attrs{"v": int64(2)}, If: []table.Test{table.IfExists()}}
	if _, err := s.table.Apply(s.t.Context(), op); err != nil {
		s.t.Fatal(err)
	}
}

func TestANewerStoreIsRefused(t *testing.T) {
	s := open(t)
	s.raise(table.Key{PK: "STORE", SK: "FORMAT"})
	_, err := catalog.Open(t.Context(), s.table, catalog.Options{Clock: s.clock.Now})
	wantFault(t, "open", err, fault.Internal, "store_newer")
}

func TestANewerRecordIsRefused(t *testing.T) {
	s := open(t)
	f := s.publish("a")
	s.raise(table.Key{PK: "FILE#" + f.ID, SK: "FILE"})
	s.raise(table.Key{PK: "USER#" + s.owner, SK: "USER"})
	fresh := s.another()
	_, err := fresh.File(t.Context(), f.ID)
	wantFault(t, "a file", err, fault.Internal, "store_newer")
	_, err = fresh.List(t.Context(), catalog.Listing{Owner: s.owner, Limit: 1})
	wantFault(t, "a listing", err, fault.Internal, "store_newer")
	_, err = fresh.User(t.Context(), s.owner)
	wantFault(t, "a user", err, fault.Internal, "store_newer")
	_, err = fresh.UpdateFile(t.Context(), f.ID, move("b"))
	wantFault(t, "an update", err, fault.Internal, "store_newer")
	wantFault(t, "a deletion", fresh.DeleteFile(t.Context(), f.ID, nil), fault.Internal, "store_newer")
}

// A newer program may have added attributes that this one does not know.
func TestAnUpdateKeepsAttributesItDoesNotKnow(t *testing.T) {
	s := open(t)
	f := s.publish("a")
	key := table.Key{PK: "FILE#" + f.ID, SK: "FILE"}
	op := table.Op{Action: table.Update, Key: key, Set: table.Attrs{"colour": "blue"}}
	if _, err := s.table.Apply(t.Context(), op); err != nil {
		t.Fatal(err)
	}
	if _, err := s.UpdateFile(t.Context(), f.ID, move("b")); err != nil {
		t.Fatal(err)
	}
	s.publish("b")
	item, _, err := s.table.Get(t.Context(), key)
	if err != nil || item.Attrs["colour"] != "blue" {
		t.Errorf("after a move and a new version the item is %+v, %v; want its colour blue", item.Attrs, err)
	}
}

func TestServersMayOpenANewStoreAtOnce(t *testing.T) {
	s := open(t)
	for _, key := range []table.Key{{PK: "STORE", SK: "FORMAT"}, {PK: "JANITOR", SK: "SWEPT"}} {
		if _, err := s.table.Apply(t.Context(), table.Op{Action: table.Delete, Key: key}); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := catalog.Open(t.Context(), s.table, catalog.Options{Clock: s.clock.Now}); err != nil {
				t.Errorf("open: %v", err)
			}
		})
	}
	wg.Wait()
}

func TestAWriteEndsWithItsContext(t *testing.T) {
	s := open(t)
	f, u := s.publish("a"), s.begin("a")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := s.Publish(ctx, u, catalog.Content{}, nil)
	wantFault(t, "publish", err, fault.Unavailable, "canceled")
	_, err = s.UpdateFile(ctx, f.ID, move("b"))
	wantFault(t, "update", err, fault.Unavailable, "canceled")
	wantFault(t, "delete", s.DeleteFile(ctx, f.ID, nil), fault.Unavailable, "canceled")
	if got, err := s.another().FileAt(t.Context(), s.owner, "a"); err != nil || got.Version.ID != f.Version.ID {
		t.Errorf("the file is %+v, %v; want it as it was", got, err)
	}
}
