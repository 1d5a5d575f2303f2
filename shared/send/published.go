package send

import (
	"context"
	"encoding/hex"

	"sluice/shared/contract"
	"sluice/shared/contract/client"
)

// published checks the file of a completed upload. Where another version has
// replaced ours already, ours is among those that are kept.
func (t *Transfer) published(ctx context.Context, f contract.File, size int64, sum []byte) error {
	err := t.conclude(f, size, sum)
	if err == nil || f.ID == "" {
		return err
	}
	req, badErr := client.NewListVersionsRequest(t.client.base, f.ID, &contract.ListVersionsParams{})
	list, listErr := ask[contract.VersionList](ctx, t.client, req, badErr)
	if listErr != nil {
		return err
	}
	for _, v := range list.Versions {
		if v.Size == size && v.SHA256 == hex.EncodeToString(sum) {
			return t.conclude(contract.File{Size: v.Size, SHA256: v.SHA256, DigestState: v.DigestState}, size, sum)
		}
	}
	return err
}
