package amazon_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/shared/app/amazon"
	"sluice/shared/app/amazon/amazontest"
	"sluice/shared/auth"
	"sluice/shared/config"
	"sluice/shared/fault"
	"sluice/shared/keys"
	"sluice/shared/upload"
)

var authority = auth.Authority{Issuer: "sluice", Audience: "sluice"}

// open returns the store and the name of keys at a server.
func open(t *testing.T, s *amazontest.Server, keysURL string) (keys.Store, string) {
	t.Helper()
	c := settings(t, s, map[string]string{"SLUICE_KEYS": keysURL})
	cfg, err := amazon.Config(c.AWS)
	if err != nil {
		t.Fatal(err)
	}
	store, name, err := amazon.Keys(c.AWS, cfg, c.Keys)
	if err != nil {
		t.Fatal(err)
	}
	return store, name
}

func settings(t *testing.T, s *amazontest.Server, more map[string]string) config.Config {
	t.Helper()
	c, err := config.Load(nil, func(name string) string {
		if v, ok := more[name]; ok {
			return v
		}
		return s.Environment()[name]
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// stores are the two kinds.
var stores = []struct{ url, name string }{{"ssm:/sluice/prod", "ssm /sluice/prod"}, {"secretsmanager:sluice/prod", "secretsmanager sluice/prod"}}

func TestKeysAreMadeOnceHoweverManyMakeThem(t *testing.T) {
	for _, c := range stores {
		t.Run(c.url, func(t *testing.T) {
			s := amazontest.Start(t)
			var made []string
			var mu sync.Mutex
			var group sync.WaitGroup
			for range 8 {
				group.Go(func() {
					store, name := open(t, s, c.url)
					names, err := keys.Ensure(t.Context(), store, name, time.Now())
					if err != nil {
						t.Errorf("make the keys: %v", err)
					}
					mu.Lock()
					defer mu.Unlock()
					made = append(made, names...)
				})
			}
			group.Wait()
			want := []string{c.name + "/signing", c.name + "/verifying"}
			if got := s.Documents(); !slices.Equal(got, want) || len(made) != 2 {
				t.Errorf("there are %q, and %d claim to have made one; want %q, each made once", got, len(made), want)
			}
			d := follow(t, s, c.url, true)
			d.wantGood("the keys that were made", d)
		})
	}
}

// deployment is a function of a deployment, with its own clock.
type deployment struct {
	t   *testing.T
	now time.Time
	keys.Rings
}

func follow(t *testing.T, s *amazontest.Server, keysURL string, issues bool) *deployment {
	t.Helper()
	d := &deployment{t: t, now: time.Now()}
	store, name := open(t, s, keysURL)
	var err error
	d.Rings, err = keys.Follow(store, name, keys.Options{
		Authority: authority, Clock: func() time.Time { return d.now }, Log: slog.New(slog.DiscardHandler), Issues: issues,
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// sign issues a token and a link as a request would have it done.
func (d *deployment) sign() (token, link string) {
	d.t.Helper()
	if err := d.Ready(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
	token, _, err := d.Signer.SignAccess("user", "login")
	if err != nil {
		d.t.Fatal(err)
	}
	return token, d.Links.Seal("link", []byte("abc"))
}

// verifies reports which of a token and a link are good, as a request finds out.
func (d *deployment) verifies(token, link string) (bool, bool) {
	d.t.Helper()
	if err := d.Ready(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
	_, tokenErr := d.Verifier.VerifyAccess(token)
	_, linkErr := d.Links.Open("link", link)
	return tokenErr == nil, linkErr == nil
}

// wantGood wants what the issuer signs to be good here.
func (d *deployment) wantGood(what string, issuer *deployment) {
	d.t.Helper()
	if token, link := d.verifies(issuer.sign()); !token || !link {
		d.t.Errorf("%s: the token is good %v, the link %v; want both", what, token, link)
	}
}

// keyID returns the id of the key that a token names.
func keyID(token string) string { header, _, _ := strings.Cut(token, "."); return header }

// Without a restart: what the old keys signed stays good, and the new ones sign.
func TestKeysRotateWithoutARestart(t *testing.T) {
	for _, c := range stores {
		t.Run(c.url, func(t *testing.T) {
			s := amazontest.Start(t)
			store, name := open(t, s, c.url)
			if _, err := keys.Ensure(t.Context(), store, name, time.Now()); err != nil {
				t.Fatal(err)
			}
			issuer, files := follow(t, s, c.url, true), follow(t, s, c.url, false)
			oldToken, oldLink := issuer.sign()
			files.wantGood("before the rotation", issuer)
			s.Calls()

			if err := keys.Rotate(t.Context(), store, name, time.Now()); err != nil {
				t.Fatal(err)
			}
			s.Calls()
			issuer.now = issuer.now.Add(299 * time.Second)
			if token, _ := issuer.sign(); keyID(token) != keyID(oldToken) || len(s.Calls()) != 0 {
				t.Error("within five minutes the keys are read again, or a new one signs; want neither")
			}
			issuer.now = issuer.now.Add(time.Second)
			newToken, newLink := issuer.sign()
			if keyID(newToken) == keyID(oldToken) || strings.HasPrefix(newLink, strings.Split(oldLink, ".")[0]) {
				t.Error("after five minutes the old keys still sign, want the new ones to")
			}
			if got := len(s.Calls()); got != 2 {
				t.Errorf("a new reading is %d calls, want one for each document", got)
			}

			// The other has read them a moment ago, and looks again for a key it does
			// not know; but for strangers not all the time.
			if token, link := files.verifies(oldToken, oldLink); !token || !link || len(s.Calls()) != 0 {
				t.Error("what the old keys signed is refused, or makes the keys be read; want neither")
			}
			if token, _ := files.verifies(newToken, newLink); token {
				t.Error("a key is looked for twice in ten seconds, want it not to")
			}
			files.now = files.now.Add(10 * time.Second)
			if token, link := files.verifies(newToken, newLink); !token || !link {
				t.Errorf("of a new key the token is good %v, the link %v; want both", token, link)
			}
			if got := s.Calls(); len(got) != 1 || !strings.HasSuffix(got[0], "/verifying") {
				t.Errorf("the keys are read by %q, want one call, and not for what signs", got)
			}
			for range 50 {
				files.verifies("x."+newToken, "unknown."+newLink)
			}
			if got := s.Calls(); len(got) != 0 {
				t.Errorf("unknown keys make the keys be read %d times within ten seconds, want none", len(got))
			}
			if token, link := files.verifies(oldToken, oldLink); !token || !link {
				t.Error("what the old keys signed is refused after the rotation, want it good")
			}
		})
	}
}

func TestKeysThatCannotBeReadOrUsed(t *testing.T) {
	s := amazontest.Start(t)
	store, name := open(t, s, "ssm:/sluice")
	d := follow(t, s, "ssm:/sluice", true)
	if err := d.Ready(t.Context()); !fault.Is(err, fault.Unavailable, "keys_unavailable") || !strings.Contains(err.Error(), "`sluice admin init` makes it") {
		t.Errorf("without keys: %v, want keys_unavailable that says what makes them", err)
	}
	if _, err := keys.Ensure(t.Context(), store, name, time.Now()); err != nil {
		t.Fatal(err)
	}
	d.wantGood("once there are keys", d)

	// What goes wrong later changes nothing.
	token, link := d.sign()
	for what, spoil := range map[string]func() error{
		"a service that is away": func() error { s.Away(true); return nil },
		"a document that is none": func() error {
			return store.Replace(t.Context(), keys.VerifyingName(name), []byte(`{"version":1}`))
		},
		"a signing key that nobody can verify": func() error {
			other := amazontest.Start(t)
			others, _ := open(t, other, "ssm:/sluice")
			if _, err := keys.Ensure(t.Context(), others, name, time.Now()); err != nil {
				return err
			}
			document, err := others.Get(t.Context(), keys.SigningName(name))
			return errors.Join(err, store.Replace(t.Context(), keys.SigningName(name), document))
		},
	} {
		good := map[string][]byte{}
		for _, each := range []string{keys.SigningName(name), keys.VerifyingName(name)} {
			document, err := store.Get(t.Context(), each)
			if err != nil {
				t.Fatal(err)
			}
			good[each] = document
		}
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		d.now = d.now.Add(time.Hour)
		if tokenGood, linkGood := d.verifies(token, link); !tokenGood && !linkGood {
			t.Errorf("with %s the keys are lost, want them kept", what)
		}
		s.Away(false)
		for each, document := range good {
			if err := store.Replace(t.Context(), each, document); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestTheQueueTakesJobs(t *testing.T) {
	s := amazontest.Start(t)
	c := settings(t, s, map[string]string{"SLUICE_QUEUE": "https://sqs.eu-central-1.amazonaws.com/123456789012/jobs"})
	cfg, err := amazon.Config(c.AWS)
	if err != nil {
		t.Fatal(err)
	}
	q := amazon.NewQueue(c.AWS, cfg, c.Queue)
	job := upload.Job{Name: upload.DescribeJob, ID: "file", Version: "version"}
	for _, after := range []time.Duration{0, time.Minute, time.Hour} {
		if err := q.Send(t.Context(), job, after); err != nil {
			t.Fatal(err)
		}
	}
	want := `{"job":"describe","id":"file","version":"version"}`
	var delays []time.Duration
	for _, m := range s.Messages() {
		delays = append(delays, m.Delay)
		if m.Body != want || m.Queue != c.Queue.String() {
			t.Errorf("to %s went %s, want %s to %s", m.Queue, m.Body, want, c.Queue)
		}
		var back upload.Job
		if err := json.Unmarshal([]byte(m.Body), &back); err != nil || back != job {
			t.Errorf("the job comes back as %+v, %v; want %+v", back, err, job)
		}
	}
	if wantDelays := []time.Duration{0, time.Minute, 15 * time.Minute}; !slices.Equal(delays, wantDelays) {
		t.Errorf("the delays are %v, want %v", delays, wantDelays)
	}
}

func TestWhoCannotSignIsRefused(t *testing.T) {
	s := amazontest.Start(t)
	c := settings(t, s, map[string]string{"SLUICE_KEYS": "ssm:/sluice", "AWS_SECRET_ACCESS_KEY": "another"})
	cfg, err := amazon.Config(c.AWS)
	if err != nil {
		t.Fatal(err)
	}
	store, name, err := amazon.Keys(c.AWS, cfg, c.Keys)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = store.Get(t.Context(), name); err == nil || !strings.Contains(err.Error(), "InvalidSignatureException (403)") {
		t.Errorf("with another secret: %v, want InvalidSignatureException", err)
	}
}

func TestAnEndedContextEndsACall(t *testing.T) {
	s := amazontest.Start(t)
	s.Away(true)
	store, name := open(t, s, "ssm:/sluice")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := store.Get(ctx, name); !errors.Is(err, context.Canceled) {
		t.Errorf("a call under an ended context: %v, want context.Canceled", err)
	}
}
