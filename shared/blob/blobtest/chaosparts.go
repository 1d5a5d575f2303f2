package blobtest

import (
	"context"
	"io"

	"sluice/shared/blob"
)

// Multipart implements blob.Driver: it disturbs what the other one takes, and
// declares no more than that.
func (c *Chaos) Multipart() blob.Multiparter {
	if m := c.driver.Multipart(); m != nil {
		return chaosParts{c, m}
	}
	return nil
}

type chaosParts struct {
	chaos *Chaos
	parts blob.Multiparter
}

func (p chaosParts) CreateMultipart(ctx context.Context, key string, partSize int64) (string, error) {
	if err := p.chaos.disturb(ctx, CreateMultipart); err != nil {
		return "", err
	}
	return p.parts.CreateMultipart(ctx, key, partSize)
}

func (p chaosParts) PutPart(ctx context.Context, key, id string, number int, body io.Reader, size int64, sum []byte) (blob.Part, error) {
	if err := p.chaos.disturb(ctx, PutPart); err != nil {
		return blob.Part{}, err
	}
	return p.parts.PutPart(ctx, key, id, number, body, size, sum)
}

func (p chaosParts) ListParts(ctx context.Context, key, id string, after, limit int) ([]blob.Part, bool, error) {
	if err := p.chaos.disturb(ctx, ListParts); err != nil {
		return nil, false, err
	}
	return p.parts.ListParts(ctx, key, id, after, limit)
}

func (p chaosParts) CompleteMultipart(ctx context.Context, key, id string, parts []blob.Part) (blob.Attrs, error) {
	if err := p.chaos.disturb(ctx, CompleteMultipart); err != nil {
		return blob.Attrs{}, err
	}
	return p.parts.CompleteMultipart(ctx, key, id, parts)
}

func (p chaosParts) AbortMultipart(ctx context.Context, key string) error {
	if err := p.chaos.disturb(ctx, AbortMultipart); err != nil {
		return err
	}
	return p.parts.AbortMultipart(ctx, key)
}
