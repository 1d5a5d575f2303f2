package api_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"sluice/localstack/stores"
	"sluice/shared/app/local/localtest"
	"sluice/shared/blob"
	"sluice/shared/blob/s3blob"
	"sluice/shared/catalog"
	"sluice/shared/config"
	"sluice/shared/delivery"
)

// storeRig is a rig whose blobs are in MinIO, to which clients are sent.
type storeRig struct {
	*rig
	store *stores.S3
}

func openStore(t *testing.T, edits ...func(*config.Config)) *storeRig {
	t.Helper()
	store, on := localtest.MinIO(t)
	s := &storeRig{store: store}
	s.rig = openRig(t, append([]func(*config.Config){on}, edits...)...)
	return s
}

// signed is a store of files on a disk that is reached by URLs of another one.
type signed struct {
	blob.Driver
	signer blob.Presigner
}

func (s signed) Presigner() blob.Presigner { return s.signer }

// signer returns what makes URLs for our bucket in a store.
func signer(t testing.TB, endpoint, region, key, secret string, clock func() time.Time) blob.Presigner {
	t.Helper()
	d, err := s3blob.New(aws.Config{
		Region: region, Credentials: credentials.NewStaticCredentialsProvider(key, secret, ""), BaseEndpoint: &endpoint,
	}, s3blob.Options{Bucket: "sluice", Prefix: "blobs/", PathStyle: true, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (s *storeRig) signer(clock func() time.Time) blob.Presigner {
	s.t.Helper()
	return signer(s.t, s.store.Endpoint, s.store.Region, s.store.AccessKey, s.store.SecretKey, clock)
}

// provokeByRedirects sends clients to a store: to be sent asks nothing of it.
func (a *answers) provokeByRedirects() {
	made := signer(a.t, "https://store.example.com", "us-east-1", "key", "secret", a.clock.Now)
	deps := a.App.Deps
	deps.Delivery = &delivery.Service{
		Blobs:  blob.NewBucket(signed{a.blobs, made}),
		Policy: delivery.Policy{Mode: catalog.DeliverRedirect}, Clock: deps.Clock, Stall: deps.Stall,
	}
	client := a.elsewhere(deps)
	for _, row := range rows {
		if o := a.operation(row); slices.Contains(o.Statuses, http.StatusTemporaryRedirect) {
			a.send(client, row, a.targets(a.mine, row)[0]).Want(a.t, http.StatusTemporaryRedirect)
		}
	}
}
