package contract

import "sluice/shared/fault"

// The Validate methods check what the types alone cannot: that required
// fields are there and that enumerated values are known. They return Invalid
// faults that name the field. Rules that need more than the request itself are
// with the use cases.

// Validate checks a login.
func (r LoginRequest) Validate() error {
	return first(required("username", r.Username), required("password", r.Password))
}

// Validate checks a refresh.
func (r RefreshRequest) Validate() error { return required("refresh_token", r.RefreshToken) }

// Validate checks a new user.
func (r CreateUserRequest) Validate() error {
	return first(required("username", r.Username), required("password", r.Password), known("role", r.Role))
}

// Validate checks a change of a user.
func (r UpdateUserRequest) Validate() error {
	if err := first(notNegative("quota_bytes", r.QuotaBytes), notNegative("quota_files", r.QuotaFiles)); err != nil {
		return err
	}
	if r.Role == nil {
		return nil
	}
	return known("role", *r.Role)
}

// Validate checks a change of a profile.
func (r UpdateProfileRequest) Validate() error {
	if r.Password != nil && r.OldPassword == nil {
		return fault.InvalidField("old_password", "A new password needs the old one.")
	}
	return nil
}

// Validate checks a change of a file.
func (r UpdateFileRequest) Validate() error {
	if r.Delivery != nil && !r.Delivery.Valid() {
		return known("delivery", *r.Delivery)
	}
	if r.Visibility == nil {
		return nil
	}
	return known("visibility", *r.Visibility)
}

// Validate checks a restoration.
func (r RestoreRequest) Validate() error { return required("version_id", r.VersionID) }

// Validate checks the beginning of an import.
func (r CreateImportRequest) Validate() error {
	return first(required("source", r.Source), required("owner", r.Owner))
}

// Validate checks an undelete; whether a path is one, the use case says.
func (r UndeleteRequest) Validate() error { return nil }

// The life of a link in seconds.
const (
	minLinkLife = 60
	maxLinkLife = 7 * 24 * 3600
)

// Validate checks the making of a link.
func (r LinkRequest) Validate() error {
	if r.ExpiresIn != nil && (*r.ExpiresIn < minLinkLife || *r.ExpiresIn > maxLinkLife) {
		return fault.InvalidField("expires_in", "A link lives for %d to %d seconds.", minLinkLife, maxLinkLife)
	}
	if r.Disposition == nil {
		return nil
	}
	return known("disposition", *r.Disposition)
}

// Validate checks the beginning of a session; whether there is such a version,
// the use case says.
func (r CreateSessionRequest) Validate() error { return nil }

func required(field, value string) error {
	if value == "" {
		return fault.InvalidField(field, "This field is required.")
	}
	return nil
}

func known(field string, value interface{ Valid() bool }) error {
	if !value.Valid() {
		return fault.InvalidField(field, "This is not one of the values allowed.")
	}
	return nil
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
