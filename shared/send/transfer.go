package send

import (
	"context"
	"sync"
	"sync/atomic"

	"sluice/shared/contract"
	"sluice/shared/contract/client"
)

const (
	unknownSize = -1
	// smallest is the size, in bytes, of the largest file that goes by one PUT:
	// the least that a part may have.
	smallest = 8 << 20
	// strikes is how often what should not be may happen to one part, or to one
	// file, until it is believed.
	strikes = 3
)

// Transfer is one file on its way.
type Transfer struct {
	client  *Client
	request Request
	ended   chan struct{}
	err     error  // valid once ended
	result  Result // of whoever runs it, until it has ended
	owner   string

	mu    sync.Mutex
	state State
	size  int64

	bytes, resumed, open atomic.Int64
}

// Wait waits for the end.
func (t *Transfer) Wait() (Result, error) {
	<-t.ended
	return t.result, t.err
}

// Progress tells how far the transfer is. It may be called at any time.
func (t *Transfer) Progress() Progress {
	t.mu.Lock()
	defer t.mu.Unlock()
	return Progress{
		State: t.state, Path: t.request.Path, Size: t.size,
		Bytes: t.bytes.Load(), Resumed: t.resumed.Load(), Connections: int(t.open.Load()),
	}
}

func (t *Transfer) enter(s State) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.state = s
}

func (t *Transfer) setSize(n int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.size = n
}

// carry is a call that carries bytes of this file.
func (t *Transfer) carry(k call) call {
	k.content = true
	k.told = func(n int64) { t.bytes.Add(n) }
	k.begun = func(n int64) { t.open.Add(n) }
	return k
}

func (t *Transfer) run(ctx context.Context) error {
	var err error
	if t.owner, err = t.client.owner(ctx, t.request.Owner); err != nil {
		return err
	}
	if t.request.File == "" {
		return t.sendStream(ctx)
	}
	src, err := open(t.request.File, t.request.Follow)
	if err != nil {
		return err
	}
	defer src.Close()
	t.setSize(src.was.Size)
	t.enter(Checking)
	if src.was.Size <= smallest {
		return t.sendSmall(ctx, src, src.was.Size, src.check)
	}
	return t.sendFile(ctx, src)
}

// owner returns the name of whose files are meant: "" is whoever the token is
// of, who is asked for once.
func (c *Client) owner(ctx context.Context, name string) (string, error) {
	if name != "" {
		return name, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.name == "" {
		req, err := client.NewGetProfileRequest(c.base)
		profile, err := ask[contract.Profile](ctx, c, req, err)
		if err != nil {
			return "", err
		}
		c.name = profile.Username
	}
	return c.name, nil
}
