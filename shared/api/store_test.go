package api_test

import (
	"net/http"
	"slices"
	"testing"

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

// provokeByRedirects sends clients to a store: to be sent asks nothing of it.
func (a *answers) provokeByRedirects() {
	signer, err := s3blob.New(aws.Config{
		Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
		BaseEndpoint: aws.String("https://store.example.com"),
	}, s3blob.Options{Bucket: "sluice"})
	if err != nil {
		a.t.Fatal(err)
	}
	deps := a.App.Deps
	deps.Delivery = &delivery.Service{
		Blobs:  blob.NewBucket(signed{a.blobs, signer}),
		Policy: delivery.Policy{Mode: catalog.DeliverRedirect}, Clock: deps.Clock, Stall: deps.Stall,
	}
	client := a.elsewhere(deps)
	for _, row := range rows {
		if o := a.operation(row); slices.Contains(o.Statuses, http.StatusTemporaryRedirect) {
			a.send(client, row, a.targets(a.mine, row)[0]).Want(a.t, http.StatusTemporaryRedirect)
		}
	}
}
