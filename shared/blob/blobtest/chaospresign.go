package blobtest

import (
	"context"

	"sluice/shared/blob"
)

// Presigner implements blob.Driver: it disturbs the other one's, and declares
// no more than that.
func (c *Chaos) Presigner() blob.Presigner {
	if p := c.driver.Presigner(); p != nil {
		return chaosPresign{c, p}
	}
	return nil
}

type chaosPresign struct {
	chaos  *Chaos
	signer blob.Presigner
}

func (p chaosPresign) PartDigests() bool { return p.signer.PartDigests() }

func (p chaosPresign) Presign(ctx context.Context, want blob.Presign) (blob.Presigned, error) {
	if err := p.chaos.disturb(ctx, Presign); err != nil {
		return blob.Presigned{}, err
	}
	return p.signer.Presign(ctx, want)
}
