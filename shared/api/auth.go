package api

import (
	"net/http"
	"time"

	"github.com/oapi-codegen/nullable"

	"sluice/shared/account"
	"sluice/shared/auth"
	"sluice/shared/catalog"
	"sluice/shared/contract"
)

func authRoutes() []route {
	return []route{
		{http.MethodPost, "/api/login", "login", open, login},
		{http.MethodPost, "/api/token/refresh", "refreshToken", open, refreshToken},
		{http.MethodPost, "/api/logout", "logout", required, logout},
		{http.MethodGet, "/api/profile", "getProfile", required, getProfile},
		{http.MethodPatch, "/api/profile", "updateProfile", required, updateProfile},
		{http.MethodGet, "/api/users", "listUsers", required, listUsers},
		{http.MethodPost, "/api/users", "createUser", required, createUser},
		{http.MethodGet, "/api/users/:id", "getUser", required, getUser},
		{http.MethodPatch, "/api/users/:id", "updateUser", required, updateUser},
		{http.MethodDelete, "/api/users/:id", "deleteUser", required, deleteUser},
		{http.MethodGet, "/.well-known/jwks.json", "getJwks", open, getJWKS},
	}
}

func login(s *server, r *request) error {
	in, err := decode[contract.LoginRequest](s, r)
	if err != nil {
		return err
	}
	tokens, err := s.Accounts.Login(r.Request.Context(), in.Username, in.Password, r.address())
	if err != nil {
		return err
	}
	return replyTokens(r, tokens)
}

func refreshToken(s *server, r *request) error {
	in, err := decode[contract.RefreshRequest](s, r)
	if err != nil {
		return err
	}
	tokens, err := s.Accounts.Refresh(r.Request.Context(), in.RefreshToken)
	if err != nil {
		return err
	}
	return replyTokens(r, tokens)
}

func replyTokens(r *request, t account.Tokens) error {
	return reply(r, http.StatusOK, contract.Tokens{
		AccessToken: t.Access, RefreshToken: t.Refresh, TokenType: "Bearer", ExpiresIn: int(t.ExpiresIn / time.Second),
	})
}

func logout(s *server, r *request) error {
	if err := auth.May(r.subject(), auth.Logout, auth.Object{Owner: r.identity.User.ID}); err != nil {
		return err
	}
	if err := s.Accounts.Logout(r.Request.Context(), r.identity); err != nil {
		return err
	}
	r.Status(http.StatusNoContent)
	return nil
}

func getProfile(s *server, r *request) error {
	if err := auth.May(r.subject(), auth.ReadProfile, auth.Object{Owner: r.identity.User.ID}); err != nil {
		return err
	}
	return s.replyProfile(r, r.identity.User)
}

func (s *server) replyProfile(r *request, u catalog.User) error {
	used, err := s.used(r, u)
	if err != nil {
		return err
	}
	out := profile(u)
	out.Used = used
	return reply(r, http.StatusOK, out)
}

// used is what a user has of their quota.
func (s *server) used(r *request, u catalog.User) (*contract.Used, error) {
	used, err := s.Catalog.Usage(r.Request.Context(), u.ID)
	return &contract.Used{Bytes: used.Bytes, Files: used.Files}, err
}

func updateProfile(s *server, r *request) error {
	if err := auth.May(r.subject(), auth.ChangeProfile, auth.Object{Owner: r.identity.User.ID}); err != nil {
		return err
	}
	in, err := decode[contract.UpdateProfileRequest](s, r)
	if err != nil {
		return err
	}
	u, err := s.Accounts.ChangeProfile(r.Request.Context(), r.identity, account.ProfileChange{
		DisplayName: in.DisplayName, Password: in.Password, OldPassword: in.OldPassword,
	})
	if err != nil {
		return err
	}
	return s.replyProfile(r, u)
}

func listUsers(s *server, r *request) error {
	if err := auth.May(r.subject(), auth.ManageUsers, auth.Object{}); err != nil {
		return err
	}
	q, err := pageQuery(r)
	if err != nil {
		return err
	}
	after, err := s.openCursor(q.cursor, "users")
	if err != nil {
		return err
	}
	users, more, err := s.Catalog.Users(r.Request.Context(), after, q.limit)
	if err != nil {
		return err
	}
	out := contract.UserList{Users: make([]contract.User, 0, len(users))}
	for _, u := range users {
		out.Users = append(out.Users, user(u))
	}
	if more && len(users) > 0 {
		out.NextCursor = s.sealCursor(users[len(users)-1].Username, "users")
	}
	return reply(r, http.StatusOK, out)
}

func createUser(s *server, r *request) error {
	if err := auth.May(r.subject(), auth.ManageUsers, auth.Object{}); err != nil {
		return err
	}
	in, err := decode[contract.CreateUserRequest](s, r)
	if err != nil {
		return err
	}
	u, err := s.Accounts.CreateUser(r.Request.Context(), account.NewUser{
		Username: in.Username, Password: in.Password, DisplayName: in.DisplayName, Role: auth.Role(in.Role),
	})
	if err != nil {
		return err
	}
	r.Header("Location", "/api/users/"+u.ID)
	return s.replyUser(r, http.StatusCreated, u)
}

func getUser(s *server, r *request) error {
	u, err := s.managed(r)
	if err != nil {
		return err
	}
	return s.replyUser(r, http.StatusOK, u)
}

func (s *server) replyUser(r *request, status int, u catalog.User) error {
	used, err := s.used(r, u)
	if err != nil {
		return err
	}
	out := user(u)
	out.Used = used
	return reply(r, status, out)
}

// managed returns the user that the path names, for an admin.
func (s *server) managed(r *request) (catalog.User, error) {
	if err := auth.May(r.subject(), auth.ManageUsers, auth.Object{}); err != nil {
		return catalog.User{}, err
	}
	return s.Catalog.User(r.Request.Context(), r.Param("id"))
}

func updateUser(s *server, r *request) error {
	if err := auth.May(r.subject(), auth.ManageUsers, auth.Object{}); err != nil {
		return err
	}
	in, err := decode[contract.UpdateUserRequest](s, r)
	if err != nil {
		return err
	}
	u, err := s.Accounts.ChangeUser(r.Request.Context(), r.identity, r.Param("id"), account.UserChange{
		DisplayName: in.DisplayName, Password: in.Password, Role: (*auth.Role)(in.Role), Disabled: in.Disabled,
		QuotaBytes: bound(in.QuotaBytes), QuotaFiles: bound(in.QuotaFiles),
	})
	if err != nil {
		return err
	}
	return s.replyUser(r, http.StatusOK, u)
}

func deleteUser(s *server, r *request) error {
	if err := auth.May(r.subject(), auth.ManageUsers, auth.Object{}); err != nil {
		return err
	}
	if err := s.Accounts.DeleteUser(r.Request.Context(), r.identity, r.Param("id")); err != nil {
		return err
	}
	r.Status(http.StatusNoContent)
	return nil
}

func getJWKS(s *server, r *request) error {
	r.Header("Cache-Control", "public, max-age=300")
	write(r, http.StatusOK, "application/jwk-set+json", s.Accounts.Verifier.JWKS())
	return nil
}

func profile(u catalog.User) contract.Profile {
	return contract.Profile{
		ID: u.ID, Username: u.Username, DisplayName: u.DisplayName, Role: contract.Role(u.Role),
		QuotaBytes: u.Quota.Bytes, QuotaFiles: u.Quota.Files,
		CreatedAt: moment(u.CreatedAt), UpdatedAt: moment(u.UpdatedAt),
	}
}

func user(u catalog.User) contract.User {
	return contract.User{
		ID: u.ID, Username: u.Username, DisplayName: u.DisplayName, Role: contract.Role(u.Role), Disabled: u.Disabled,
		QuotaBytes: u.Quota.Bytes, QuotaFiles: u.Quota.Files,
		CreatedAt: moment(u.CreatedAt), UpdatedAt: moment(u.UpdatedAt),
	}
}

// bound returns what a bound is to be changed to; null removes it.
func bound(in nullable.Nullable[int64]) **int64 {
	if !in.IsSpecified() {
		return nil
	}
	var to *int64
	if n, err := in.Get(); err == nil {
		to = &n
	}
	return &to
}

// moment is a time as the API shows it: UTC, in milliseconds.
func moment(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }
