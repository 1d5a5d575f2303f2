package auth

import "context"

// Occupy takes a slot as a hash at work does, until release is called.
func (h *Hasher) Occupy(ctx context.Context) (release func(), err error) { return h.acquire(ctx) }

// Decoy is the hash against which VerifyNobody verifies.
func (h *Hasher) Decoy() string { return h.decoy }
