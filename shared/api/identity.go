package api

import (
	"strings"

	"sluice/shared/fault"
)

// identify finds out who asks. Credentials that are sent must be good, even
// where none are needed.
func (s *server) identify(r *request, a access) error {
	if a == open {
		return nil
	}
	fields := r.Request.Header.Values("Authorization")
	if len(fields) == 0 {
		if a == optional {
			return nil
		}
		return fault.New(fault.Unauthenticated, "unauthenticated", "Log in to do this.")
	}
	scheme, token, _ := strings.Cut(fields[0], " ")
	if len(fields) > 1 || !strings.EqualFold(scheme, "Bearer") {
		return fault.New(fault.Unauthenticated, "token_invalid", "Send an access token: Authorization: Bearer ….")
	}
	identity, err := s.Accounts.Authenticate(r.Request.Context(), strings.TrimSpace(token))
	r.identity, r.until = identity, identity.ExpiresAt
	return err
}
