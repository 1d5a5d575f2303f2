package upload

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"

	"sluice/shared/blob"
	"sluice/shared/catalog"
	"sluice/shared/fault"
)

// StoredObject names an object that a store says was created or removed.
type StoredObject struct {
	Bucket string
	Key    string // in the bucket
}

// ReadEvents returns the objects that an S3 event notification says were created
// or removed; other events are left out. Which of the two it was is not told, and
// of the rest of a record nothing is taken either, since a record may be late: what
// is there now counts.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
func ReadEvents(body []byte) ([]StoredObject, error) {
	var message struct {
		Records []struct {
			EventName string `json:"eventName"` //nolint:tagliatelle // the name is S3's
			S3        struct {
				Bucket struct {
					Name string `json:"name"`
				} `json:"bucket"`
				Object struct {
					Key string `json:"key"`
				} `json:"object"`
			} `json:"s3"`
		}
	}
	if err := json.Unmarshal(body, &message); err != nil {
		return nil, fault.New(fault.Invalid, "invalid_json", "The body is no S3 event notification.")
	}
	var objects []StoredObject
	for _, r := range message.Records {
		// Amazon's names begin with the event, MinIO's with its service.
		event, _, _ := strings.Cut(strings.TrimPrefix(r.EventName, "s3:"), ":")
		if event != "ObjectCreated" && event != "ObjectRemoved" {
			continue
		}
		key, err := url.QueryUnescape(r.S3.Object.Key)
		if err != nil {
			return nil, fault.InvalidField("key", "A record's key is not URL-encoded.")
		}
		objects = append(objects, StoredObject{Bucket: r.S3.Bucket.Name, Key: key})
	}
	return objects, nil
}

// Reconcile looks at an object of which a store has told, for the import with the
// longest source that it lies under: one that is there is registered, as that
// import would, and of one that is gone the version is marked. It does nothing
// where there is no such import, for what an upload wrote, and for an object that
// cannot be a file there.
func (s *Service) Reconcile(ctx context.Context, o StoredObject) error {
	key, within := s.named(s.Root.Scheme, o.Bucket, o.Key)
	if !within {
		key, within = s.named("s3", o.Bucket, o.Key) // where our own blobs may be on a disk
	}
	if !within || key == "" || strings.HasSuffix(key, "/") || catalog.OwnKey(key) {
		return nil
	}
	i, err := s.importOf(ctx, key)
	if err != nil || i == nil {
		return err
	}
	_, _, err = s.register(ctx, *i, blob.Object{Key: key})
	if gone(err) {
		return nil // as the store has told, or will
	}
	if err != nil && (skipped(err) || fault.Is(err, fault.InsufficientStorage, "quota_exceeded")) {
		s.Log.WarnContext(ctx, "an object that the store told of is not registered", "import_id", i.ID, "error", err)
		return nil // to be told of it again would change nothing
	}
	return err
}

// importOf returns the import to which an object belongs, or nil: of those with
// the longest source the latest.
func (s *Service) importOf(ctx context.Context, key string) (*catalog.Import, error) {
	var found *catalog.Import
	for after := ""; ; {
		page, more, err := s.Catalog.Imports(ctx, after, blob.MaxList)
		if err != nil {
			return nil, err
		}
		for _, i := range page {
			after = i.ID
			counts := !i.DryRun && (i.State == catalog.ImportRunning || i.State == catalog.ImportDone)
			if counts && covers(i, key) && (found == nil || len(i.Prefix) > len(found.Prefix)) {
				found = &i
			}
		}
		if !more {
			return found, nil
		}
	}
}
