package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"
)

func freeAddr() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}

// await returns when something listens on addr.
func await(addr string) error {
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			return c.Close()
		}
		time.Sleep(20 * time.Millisecond)
	}
	return errors.New("nothing listens on " + addr)
}

// request is the text of a GET, with a token where one is given.
func request(addr, path, token string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "GET %s HTTP/1.1\r\nHost: %s\r\n", path, addr)
	if token != "" {
		fmt.Fprintf(&b, "Authorization: Bearer %s\r\n", token)
	}
	b.WriteString("\r\n")
	return []byte(b.String())
}

// getAndDrop gets a file and drops it where it arrives: MSG_TRUNC takes bytes out of
// the socket without copying them, so that the client costs the server little.
func getAndDrop(addr string, request []byte) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write(request); err != nil {
		return err
	}
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	got := int64(r.Buffered())
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return err
	}
	buf := make([]byte, 1<<20)
	for got < resp.ContentLength {
		var n int
		var readErr error
		err := raw.Read(func(fd uintptr) bool {
			n, _, readErr = syscall.Recvfrom(int(fd), buf, syscall.MSG_TRUNC)
			return !errors.Is(readErr, syscall.EAGAIN)
		})
		if err := errors.Join(err, readErr); err != nil {
			return err
		}
		if n == 0 {
			return io.ErrUnexpectedEOF
		}
		got += int64(n)
	}
	return nil
}

// fetchAll has clients fetch the file at once, one after the other's end as
// often as it takes to move about total bytes, and returns bytes per second.
func fetchAll(addr string, request []byte, clients int, size, total int64) (float64, error) {
	each := max(total/size/int64(clients), 1)
	errs := make(chan error, clients)
	began := time.Now()
	for range clients {
		go func() {
			for range each {
				if err := getAndDrop(addr, request); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	var all error
	for range clients {
		all = errors.Join(all, <-errs)
	}
	return float64(each*int64(clients)*size) / time.Since(began).Seconds(), all
}

// hammer sends the same request over so many kept connections for a while and
// returns answers per second, all of which must have that status. Answers to one request are all as long as the
// first, so that the client need not parse them.
func hammer(addr string, request []byte, status, connections int, d time.Duration) (float64, error) {
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		total int
		all   error
	)
	until := time.Now().Add(d)
	for range connections {
		wg.Go(func() {
			n, err := hammerOne(addr, request, status, until)
			mu.Lock()
			defer mu.Unlock()
			total += n
			all = errors.Join(all, err)
		})
	}
	wg.Wait()
	return float64(total) / d.Seconds(), all
}

func hammerOne(addr string, request []byte, status int, until time.Time) (int, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	size, err := answerSize(conn, request, status)
	if err != nil {
		return 0, err
	}
	buf := make([]byte, size)
	want := fmt.Sprintf("HTTP/1.1 %d", status)
	n := 0
	for ; time.Now().Before(until); n++ {
		if _, err := conn.Write(request); err != nil {
			return n, err
		}
		if _, err := io.ReadFull(conn, buf); err != nil {
			return n, err
		}
		if got := string(buf[:len(want)]); got != want {
			return n, fmt.Errorf("answered %q", got)
		}
	}
	return n, nil
}

// answerSize returns how many bytes an answer has, header included.
func answerSize(conn net.Conn, request []byte, status int) (int, error) {
	if _, err := conn.Write(request); err != nil {
		return 0, err
	}
	var counted counter
	r := bufio.NewReader(io.TeeReader(conn, &counted))
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return 0, err
	}
	if resp.StatusCode != status {
		return 0, errors.New(resp.Status)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return 0, err
	}
	return int(counted), nil
}

type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
