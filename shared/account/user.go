package account

import (
	"context"
	"errors"
	"unicode"
	"unicode/utf8"

	"sluice/shared/auth"
	"sluice/shared/catalog"
	"sluice/shared/fault"
)

// maxDisplayName is the longest display name, in bytes.
const maxDisplayName = 200

// AdminName is the username of the first admin.
const AdminName = "admin"

// EnsureAdmin makes the first admin in a store that has no users yet. It takes
// the password, or makes one up where it is empty, and returns it; "" tells
// that there were users already.
func (s *Service) EnsureAdmin(ctx context.Context, password string) (string, error) {
	users, _, err := s.Catalog.Users(ctx, "", 1)
	if err != nil || len(users) > 0 {
		return "", err
	}
	if password == "" {
		password = auth.NewPassword()
	}
	_, err = s.CreateUser(ctx, NewUser{Username: AdminName, Password: password, Role: auth.Admin})
	if fault.Is(err, fault.Conflict, "username_taken") {
		return "", nil // another server was first
	}
	if err != nil {
		return "", err
	}
	return password, nil
}

// NewUser is a user to be made.
type NewUser struct {
	Username    string
	Password    string
	DisplayName string
	Role        auth.Role
}

// CreateUser makes a user. It fails with Invalid faults that name the field,
// and with Conflict "username_taken".
func (s *Service) CreateUser(ctx context.Context, n NewUser) (catalog.User, error) {
	if err := auth.CheckUsername(n.Username); err != nil {
		return catalog.User{}, err
	}
	if err := checkRole(n.Role); err != nil {
		return catalog.User{}, err
	}
	if err := checkDisplayName(n.DisplayName); err != nil {
		return catalog.User{}, err
	}
	hash, err := s.hash(ctx, n.Password)
	if err != nil {
		return catalog.User{}, err
	}
	return s.Catalog.CreateUser(ctx, catalog.User{
		ID: auth.NewID(s.Clock()), Username: n.Username, DisplayName: n.DisplayName, Role: n.Role, Password: hash,
	})
}

func (s *Service) hash(ctx context.Context, password string) (string, error) {
	if err := auth.CheckPassword(password); err != nil {
		return "", err
	}
	return s.Hasher.Hash(ctx, password)
}

func checkRole(role auth.Role) error {
	if _, ok := auth.ParseRole(string(role)); !ok {
		return fault.InvalidField("role", "A role is guest, user or admin.")
	}
	return nil
}

func checkDisplayName(name string) error {
	if len(name) > maxDisplayName || !utf8.ValidString(name) {
		return fault.InvalidField("display_name", "A display name is valid UTF-8 of at most %d bytes.", maxDisplayName)
	}
	for _, r := range name {
		if unicode.IsControl(r) {
			return fault.InvalidField("display_name", "A display name has no control characters.")
		}
	}
	return nil
}

// ProfileChange is what users change of themselves; nil leaves a field as it is.
type ProfileChange struct {
	DisplayName *string
	Password    *string
	OldPassword *string // needed with Password
}

// ChangeProfile changes the identity's own user. A new password needs the old
// one (Forbidden "wrong_password"), and ends every other login of the user.
func (s *Service) ChangeProfile(ctx context.Context, i Identity, c ProfileChange) (catalog.User, error) {
	if c.DisplayName != nil {
		if err := checkDisplayName(*c.DisplayName); err != nil {
			return catalog.User{}, err
		}
	}
	var hash string
	if c.Password != nil {
		var err error
		if hash, err = s.replacePassword(ctx, i, c); err != nil {
			return catalog.User{}, err
		}
	}
	u, err := s.Catalog.UpdateUser(ctx, i.User.ID, func(u *catalog.User) error {
		if c.DisplayName != nil {
			u.DisplayName = *c.DisplayName
		}
		if hash != "" {
			if u.Password != i.User.Password {
				return fault.New(fault.Conflict, "contended", "The password was changed by another request.")
			}
			u.Password = hash
			u.Epoch++
		}
		return nil
	})
	if err != nil {
		return u, ended(err)
	}
	if hash == "" {
		return u, nil
	}
	return u, s.keepLogin(ctx, i, u.Epoch)
}

// replacePassword checks the old password and hashes the new one.
func (s *Service) replacePassword(ctx context.Context, i Identity, c ProfileChange) (string, error) {
	if c.OldPassword == nil {
		return "", fault.InvalidField("old_password", "A new password needs the old one.")
	}
	if err := auth.CheckPassword(*c.Password); err != nil {
		return "", err
	}
	tried := userTry(i.User.Username)
	if err := s.take(ctx, tried); err != nil {
		return "", err
	}
	match, err := s.Hasher.Verify(ctx, *c.OldPassword, i.User.Password)
	if err == nil && !match {
		return "", fault.New(fault.Forbidden, "wrong_password", "The old password is wrong.")
	}
	if err := errors.Join(err, s.giveBack(ctx, tried)); err != nil {
		return "", err
	}
	return s.Hasher.Hash(ctx, *c.Password)
}

// keepLogin carries the identity's own login over to a new epoch.
func (s *Service) keepLogin(ctx context.Context, i Identity, epoch int64) error {
	for {
		l, err := s.Catalog.FreshLogin(ctx, i.LoginID)
		if err != nil {
			return ended(err)
		}
		next := l
		next.Epoch = epoch
		if won, err := s.Catalog.RotateLogin(ctx, l, next); won || err != nil {
			return err
		}
	}
}

// UserChange is what admins change of a user; nil leaves a field as it is.
type UserChange struct {
	DisplayName *string
	Password    *string
	Role        *auth.Role
	Disabled    *bool

	// A bound that is changed to nil is none.
	QuotaBytes **int64
	QuotaFiles **int64
}

// ChangeUser changes a user for an admin. A new password ends every login of
// the user, and so does disabling them. Admins can neither disable nor demote themselves (Conflict
// "own_account"), so that one is always left.
func (s *Service) ChangeUser(ctx context.Context, by Identity, id string, c UserChange) (catalog.User, error) {
	if by.User.ID == id && (c.Disabled != nil && *c.Disabled || c.Role != nil && *c.Role != auth.Admin) {
		return catalog.User{}, ownAccount()
	}
	if c.Role != nil {
		if err := checkRole(*c.Role); err != nil {
			return catalog.User{}, err
		}
	}
	if c.DisplayName != nil {
		if err := checkDisplayName(*c.DisplayName); err != nil {
			return catalog.User{}, err
		}
	}
	var hash string
	if c.Password != nil {
		var err error
		if hash, err = s.hash(ctx, *c.Password); err != nil {
			return catalog.User{}, err
		}
	}
	return s.Catalog.UpdateUser(ctx, id, func(u *catalog.User) error {
		c.apply(u, hash)
		return nil
	})
}

func (c UserChange) apply(u *catalog.User, hash string) {
	if c.DisplayName != nil {
		u.DisplayName = *c.DisplayName
	}
	if c.Role != nil {
		u.Role = *c.Role
	}
	if c.Disabled != nil {
		u.Disabled = *c.Disabled
	}
	if c.QuotaBytes != nil {
		u.Quota.Bytes = *c.QuotaBytes
	}
	if c.QuotaFiles != nil {
		u.Quota.Files = *c.QuotaFiles
	}
	if hash != "" {
		u.Password = hash
	}
	if hash != "" || u.Disabled {
		u.Epoch++ // so that no login of before comes back
	}
}

// DeleteUser removes a user who owns no files (Conflict "user_has_files"),
// for an admin, who cannot remove their own account.
func (s *Service) DeleteUser(ctx context.Context, by Identity, id string) error {
	if by.User.ID == id {
		return ownAccount()
	}
	return s.Catalog.DeleteUser(ctx, id)
}

func ownAccount() error {
	return fault.New(fault.Conflict, "own_account", "Admins can neither disable, demote nor delete themselves.")
}
