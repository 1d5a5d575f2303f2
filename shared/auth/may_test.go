package auth_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"slices"
	"strconv"
	"testing"

	"sluice/shared/auth"
	"sluice/shared/fault"
)

var (
	nobody = auth.Subject{}
	guest  = auth.Subject{UserID: "gwen", Role: auth.Guest}
	user   = auth.Subject{UserID: "ulla", Role: auth.User}
	admin  = auth.Subject{UserID: "adam", Role: auth.Admin}
)

// verdict is what came of asking, by HTTP status.
type verdict int

const ok verdict = 200

func verdictOf(t *testing.T, err error) verdict {
	t.Helper()
	switch {
	case err == nil:
		return ok
	case fault.Is(err, fault.Unauthenticated, "unauthenticated"):
		return 401
	case fault.Is(err, fault.Forbidden, "forbidden"):
		return 403
	case fault.Is(err, fault.NotFound, "not_found"):
		return 404
	}
	t.Fatalf("an error that May never gives: %v", err)
	return 0
}

// Every action, by everybody, on everything.
var walk = []struct {
	action  auth.Action
	subject auth.Subject

	ownPrivate, ownPublic, othersPrivate, othersPublic, absent verdict
}{
	{auth.ReadFile, nobody, 401, ok, 401, ok, 401},
	{auth.ReadFile, guest, 404, ok, 404, ok, 404},
	{auth.ReadFile, user, ok, ok, 404, ok, 404},
	{auth.ReadFile, admin, ok, ok, ok, ok, 404},

	{auth.WriteFile, nobody, 401, 401, 401, 401, 401},
	{auth.WriteFile, guest, 403, 403, 403, 403, 403},
	{auth.WriteFile, user, ok, ok, 404, 404, 404},
	{auth.WriteFile, admin, ok, ok, ok, ok, 404},

	{auth.ChangeFile, nobody, 401, 401, 401, 401, 401},
	{auth.ChangeFile, guest, 403, 403, 403, 403, 403},
	{auth.ChangeFile, user, ok, ok, 404, 404, 404},
	{auth.ChangeFile, admin, ok, ok, ok, ok, 404},

	{auth.DeleteFile, nobody, 401, 401, 401, 401, 401},
	{auth.DeleteFile, guest, 403, 403, 403, 403, 403},
	{auth.DeleteFile, user, ok, ok, 404, 404, 404},
	{auth.DeleteFile, admin, ok, ok, ok, ok, 404},

	{auth.ReadVersions, nobody, 401, 401, 401, 401, 401},
	{auth.ReadVersions, guest, 403, 403, 403, 403, 403},
	{auth.ReadVersions, user, ok, ok, 404, 404, 404},
	{auth.ReadVersions, admin, ok, ok, ok, ok, 404},

	{auth.RestoreFile, nobody, 401, 401, 401, 401, 401},
	{auth.RestoreFile, guest, 403, 403, 403, 403, 403},
	{auth.RestoreFile, user, ok, ok, 404, 404, 404},
	{auth.RestoreFile, admin, ok, ok, ok, ok, 404},

	{auth.LinkFile, nobody, 401, 401, 401, 401, 401},
	{auth.LinkFile, guest, 403, 403, 403, 403, 403},
	{auth.LinkFile, user, ok, ok, 404, 404, 404},
	{auth.LinkFile, admin, ok, ok, ok, ok, 404},

	{auth.StartSession, nobody, 401, 401, 401, 401, 401},
	{auth.StartSession, guest, 404, ok, 404, ok, 404},
	{auth.StartSession, user, ok, ok, 404, ok, 404},
	{auth.StartSession, admin, ok, ok, ok, ok, 404},

	{auth.ManageSession, nobody, 401, 401, 401, 401, 401},
	{auth.ManageSession, guest, ok, ok, 404, 404, 404},
	{auth.ManageSession, user, ok, ok, 404, 404, 404},
	{auth.ManageSession, admin, ok, ok, ok, ok, 404},

	{auth.ReadAudit, nobody, 401, 401, 401, 401, 401},
	{auth.ReadAudit, guest, 403, 403, 403, 403, 403},
	{auth.ReadAudit, user, ok, ok, 404, 404, 404},
	{auth.ReadAudit, admin, ok, ok, ok, ok, 404},

	{auth.ListFiles, nobody, 401, 401, 401, 401, 401},
	{auth.ListFiles, guest, 403, 403, 403, 403, 403},
	{auth.ListFiles, user, ok, ok, 404, 404, 404},
	{auth.ListFiles, admin, ok, ok, ok, ok, 404},

	{auth.ReadProfile, nobody, 401, 401, 401, 401, 401},
	{auth.ReadProfile, guest, ok, ok, 404, 404, 404},
	{auth.ReadProfile, user, ok, ok, 404, 404, 404},
	{auth.ReadProfile, admin, ok, ok, ok, ok, 404},

	{auth.ChangeProfile, nobody, 401, 401, 401, 401, 401},
	{auth.ChangeProfile, guest, ok, ok, 404, 404, 404},
	{auth.ChangeProfile, user, ok, ok, 404, 404, 404},
	{auth.ChangeProfile, admin, ok, ok, ok, ok, 404},

	{auth.Logout, nobody, 401, 401, 401, 401, 401},
	{auth.Logout, guest, ok, ok, 404, 404, 404},
	{auth.Logout, user, ok, ok, 404, 404, 404},
	{auth.Logout, admin, ok, ok, ok, ok, 404},

	{auth.ManageUsers, nobody, 401, 401, 401, 401, 401},
	{auth.ManageUsers, guest, 403, 403, 403, 403, 403},
	{auth.ManageUsers, user, 403, 403, 403, 403, 403},
	{auth.ManageUsers, admin, ok, ok, ok, ok, 404},
	{auth.ManageImports, nobody, 401, 401, 401, 401, 401},
	{auth.ManageImports, guest, 403, 403, 403, 403, 403},
	{auth.ManageImports, user, 403, 403, 403, 403, 403},
	{auth.ManageImports, admin, ok, ok, ok, ok, 404},
}

func TestMay(t *testing.T) {
	for _, c := range walk {
		own := auth.Object{Owner: c.subject.UserID}
		others := auth.Object{Owner: "somebody else"}
		relations := []struct {
			name   string
			object auth.Object
			want   verdict
		}{
			{"own and private", own, c.ownPrivate},
			{"own and public", auth.Object{Owner: own.Owner, Public: true}, c.ownPublic},
			{"another's and private", others, c.othersPrivate},
			{"another's and public", auth.Object{Owner: others.Owner, Public: true}, c.othersPublic},
		}
		for _, r := range relations {
			if got := verdictOf(t, auth.May(c.subject, c.action, r.object)); got != r.want {
				t.Errorf("May(%+v, %s) of what is %s: %d; want %d", c.subject, c.action, r.name, got, r.want)
			}
		}
		if got := verdictOf(t, auth.Absent(c.subject, c.action)); got != c.absent {
			t.Errorf("Absent(%+v, %s): %d; want %d", c.subject, c.action, got, c.absent)
		}
	}
}

func TestAbsentAndHiddenCannotBeToldApart(t *testing.T) {
	for _, c := range walk {
		hidden := auth.May(c.subject, c.action, auth.Object{Owner: "somebody else"})
		if absent := auth.Absent(c.subject, c.action); hidden != nil && !reflect.DeepEqual(hidden, absent) {
			t.Errorf("%+v, %s: hidden %v; absent %v", c.subject, c.action, hidden, absent)
		}
	}
}

func TestMayRefusesAnUnknownAction(t *testing.T) {
	if got := verdictOf(t, auth.May(admin, "file.eat", auth.Object{Owner: admin.UserID, Public: true})); got != 403 {
		t.Errorf("May of an unknown action by an admin: %d; want 403", got)
	}
}

func TestARoleThatDoesNotExistMayNothing(t *testing.T) {
	for _, role := range []auth.Role{"", "root", "Admin"} {
		subject := auth.Subject{UserID: "rolf", Role: role}
		for _, action := range auth.Actions() {
			for _, object := range []auth.Object{{}, {Public: true}, {Owner: "rolf"}, {Owner: "rolf", Public: true}} {
				if got := verdictOf(t, auth.May(subject, action, object)); got != 403 {
					t.Errorf("May(%+v, %s, %+v): %d; want 403", subject, action, object, got)
				}
			}
		}
	}
}

func TestARoleWithoutAUserIsNobody(t *testing.T) {
	for _, role := range auth.Roles() {
		for _, action := range auth.Actions() {
			for _, object := range []auth.Object{{}, {Public: true}, {Owner: "ulla"}, {Owner: "ulla", Public: true}} {
				got, want := auth.May(auth.Subject{Role: role}, action, object), auth.May(nobody, action, object)
				if !reflect.DeepEqual(got, want) {
					t.Errorf("May of a role %s without a user, %s, %+v: %v; want %v", role, action, object, got, want)
				}
			}
		}
	}
}

func TestEveryActionAndRoleIsWalkedOnce(t *testing.T) {
	type pair struct {
		auth.Action
		auth.Subject
	}
	times := map[pair]int{}
	for _, c := range walk {
		times[pair{c.action, c.subject}]++
	}
	for _, action := range constants(t, "Action") {
		for _, subject := range []auth.Subject{nobody, guest, user, admin} {
			if n := times[pair{auth.Action(action), subject}]; n != 1 {
				t.Errorf("%s by %+v stands %d times in the walk; want once", action, subject, n)
			}
		}
	}
}

func TestActionsAndRolesAreAllThereAre(t *testing.T) {
	var actions, roles []string
	for _, a := range auth.Actions() {
		actions = append(actions, string(a))
	}
	for _, r := range auth.Roles() {
		roles = append(roles, string(r))
	}
	if want := constants(t, "Action"); !slices.Equal(actions, want) {
		t.Errorf("Actions() = %q; the constants are %q", actions, want)
	}
	if want := constants(t, "Role"); !slices.Equal(roles, want) {
		t.Errorf("Roles() = %q; the constants are %q", roles, want)
	}
}

func TestParseRole(t *testing.T) {
	for _, want := range auth.Roles() {
		if got, ok := auth.ParseRole(string(want)); got != want || !ok {
			t.Errorf("ParseRole(%q) = %q, %v; want it found", want, got, ok)
		}
	}
	for _, name := range []string{"", "Admin", "root", "admin ", "user,admin"} {
		if got, ok := auth.ParseRole(name); got != "" || ok {
			t.Errorf("ParseRole(%q) = %q, %v; want none", name, got, ok)
		}
	}
}

func BenchmarkMay(b *testing.B) {
	object := auth.Object{Owner: user.UserID}
	for b.Loop() {
		if err := auth.May(user, auth.ReadFile, object); err != nil {
			b.Fatal(err)
		}
	}
}

// constants returns the values of the string constants of a type in may.go.
func constants(t *testing.T, typ string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "may.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, isValue := n.(*ast.ValueSpec)
		if !isValue {
			return true
		}
		if name, _ := spec.Type.(*ast.Ident); name == nil || name.Name != typ {
			return true
		}
		value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, value)
		return true
	})
	return values
}
