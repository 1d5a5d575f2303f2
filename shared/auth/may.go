package auth

import "sluice/shared/fault"

// Role is what a user may do in general. It is kept in the user's record, not
// in a token, so that a change holds at once.
type Role string

// The roles.
const (
	Guest Role = "guest" // reads what is public
	User  Role = "user"  // has files of their own
	Admin Role = "admin" // may do everything
)

// Roles returns every role, the least powerful first.
func Roles() []Role { return []Role{Guest, User, Admin} }

// ParseRole returns the role of that name, and whether there is one.
func ParseRole(name string) (Role, bool) {
	for _, role := range Roles() {
		if name == string(role) {
			return role, true
		}
	}
	return "", false
}

// Subject is who asks. The zero Subject is nobody: no credentials were sent.
type Subject struct {
	UserID string
	Role   Role
}

// Anonymous reports whether the subject is nobody. A role without a user id
// counts for nothing.
func (s Subject) Anonymous() bool { return s.UserID == "" }

// Object is what is asked about. The zero Object belongs to nobody and is not
// public.
type Object struct {
	Owner  string // the owner's id; of a user or a profile, the user's own id
	Public bool   // everybody may read it
}

// Action is what the subject wants to do.
type Action string

// The actions. ReadFile covers a file's content and its description,
// WriteFile a new file and a new version of one, ReadVersions those that were
// replaced, RestoreFile what brings one of them or a deleted file back,
// LinkFile the making and the life of a link to a file, StartSession a download
// session of one's own, ManageSession what is done with one, ReadAudit
// who downloaded the files of one owner, ListFiles the files of
// one owner, ManageUsers all that is done to users by others, ManageImports
// what is done with imports of objects that a store has.
const (
	ReadFile      Action = "file.read"
	WriteFile     Action = "file.write"
	ChangeFile    Action = "file.change"
	DeleteFile    Action = "file.delete"
	ReadVersions  Action = "file.versions"
	RestoreFile   Action = "file.restore"
	LinkFile      Action = "file.link"
	StartSession  Action = "session.start"
	ManageSession Action = "session.manage"
	ReadAudit     Action = "audit.read"
	ListFiles     Action = "file.list"
	ReadProfile   Action = "profile.read"
	ChangeProfile Action = "profile.change"
	Logout        Action = "login.end"
	ManageUsers   Action = "user.manage"
	ManageImports Action = "import.manage"
)

// scope tells on which objects an action is allowed. The zero scope is never.
type scope uint8

const (
	never scope = iota
	public
	own
	ownOrPublic
	always
)

// covers reports whether the scope allows the subject that object.
func (c scope) covers(s Subject, o Object) bool {
	owns := !s.Anonymous() && o.Owner == s.UserID
	switch c {
	case public:
		return o.Public
	case own:
		return owns
	case ownOrPublic:
		return owns || o.Public
	case always:
		return true
	default:
		return false
	}
}

// permission is one row of the table: an action, and its scope by who asks.
type permission struct {
	action                     Action
	nobody, guest, user, admin scope
}

// permissions is the table of who may do what. There is no other, and nothing
// writes to it.
var permissions = [...]permission{
	// action, nobody, guest, user, admin
	{ReadFile, public, public, ownOrPublic, always},
	{WriteFile, never, never, own, always},
	{ChangeFile, never, never, own, always},
	{DeleteFile, never, never, own, always},
	{ReadVersions, never, never, own, always},
	{RestoreFile, never, never, own, always},
	{LinkFile, never, never, own, always},
	{StartSession, never, public, ownOrPublic, always},
	{ManageSession, never, own, own, always},
	{ReadAudit, never, never, own, always},
	{ListFiles, never, never, own, always},
	{ReadProfile, never, own, own, always},
	{ChangeProfile, never, own, own, always},
	{Logout, never, own, own, always},
	{ManageUsers, never, never, never, always},
	{ManageImports, never, never, never, always},
}

// Actions returns every action, in the order of the table.
func Actions() []Action {
	var actions []Action
	for _, row := range permissions {
		actions = append(actions, row.action)
	}
	return actions
}

// scopeOf looks the scope up. An action or a role that is not in the table
// has none.
func scopeOf(s Subject, a Action) scope {
	for _, row := range permissions {
		if row.action != a {
			continue
		}
		switch {
		case s.Anonymous():
			return row.nobody
		case s.Role == Guest:
			return row.guest
		case s.Role == User:
			return row.user
		case s.Role == Admin:
			return row.admin
		}
	}
	return never
}

// May returns nil if the subject may do the action to the object, else a
// *fault.Error that tells no more than the subject may know:
//
//   - Unauthenticated "unauthenticated": nobody asks, and it is not public;
//   - Forbidden "forbidden": the role never has the action, on any object;
//   - NotFound "not_found": it is another's, and might as well not exist.
//
// Where the object turns out to be absent, answer with Absent, which gives
// the same error as May does for a hidden one. Where the owner is known
// beforehand (a list, an upload to a path), ask May before any look-up.
func May(s Subject, a Action, o Object) error {
	allowed := scopeOf(s, a)
	switch {
	case allowed.covers(s, o):
		return nil
	case s.Anonymous():
		return fault.New(fault.Unauthenticated, "unauthenticated", "Log in to do this.")
	case allowed == never:
		return fault.New(fault.Forbidden, "forbidden", "Your role does not allow this.")
	default:
		return notFound()
	}
}

// Absent returns the error for an object that does not exist: what May says of
// another's private object, or, to those whom May would allow even that, a
// plain NotFound "not_found". It is never nil. Use it for every look-up that
// came back empty, so that absent and hidden cannot be told apart.
func Absent(s Subject, a Action) error {
	if err := May(s, a, Object{}); err != nil {
		return err
	}
	return notFound()
}

func notFound() error {
	return fault.New(fault.NotFound, "not_found", "There is no such thing, or it is not yours to see.")
}
