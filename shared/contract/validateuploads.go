package contract

import (
	"encoding/hex"
	"strings"

	"github.com/oapi-codegen/nullable"

	"sluice/shared/fault"
)

// maxIssued is how many part URLs one request may ask for.
const maxIssued = 100

// Validate checks an upload to begin.
func (r CreateUploadRequest) Validate() error {
	if r.Size != nil && *r.Size < 0 {
		return fault.InvalidField("size", "A size is not negative.")
	}
	if r.PartSize < 0 {
		return fault.InvalidField("part_size", "A size is not negative.")
	}
	return first(required("path", r.Path), digest("sha256", r.SHA256))
}

// Validate checks which parts URLs are asked for.
func (r IssuePartsRequest) Validate() error {
	if len(r.Parts) == 0 || len(r.Parts) > maxIssued {
		return fault.InvalidField("parts", "Ask for 1 to %d parts at a time.", maxIssued)
	}
	for _, p := range r.Parts {
		if err := digest("parts", p.SHA256); err != nil {
			return err
		}
	}
	return nil
}

// digest checks a SHA-256 in hexadecimal; an empty one is none.
func digest(field, value string) error {
	const size = 32
	sum, err := hex.DecodeString(value)
	if value != "" && (err != nil || len(sum) != size || strings.ToLower(value) != value) {
		return fault.InvalidField(field, "A SHA-256 is 64 lower-case hexadecimal digits.")
	}
	return nil
}

// notNegative checks a number that may be null.
func notNegative(field string, value nullable.Nullable[int64]) error {
	if n, err := value.Get(); err == nil && n < 0 {
		return fault.InvalidField(field, "A quota is not negative; null is none.")
	}
	return nil
}
