package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"time"
)

const (
	attackedSize = 16 << 20
	hugeSize     = 1 << 30
	attackCount  = 50 // requests of each attack
)

// attack is a Range field made to cost much.
type attack struct {
	name, path, ranges string
	size               int64 // of the file
}

// attacks are those that have hurt other servers: ranges that overlap, tiny
// ones by the thousand, and as many as an answer has room for.
func attacks() []attack {
	tiny := func(n int, size int64) string {
		specs := make([]string, n)
		for i := range specs {
			at := rand.Int64N(size)
			specs[i] = fmt.Sprintf("%d-%d", at, at)
		}
		return "bytes=" + strings.Join(specs, ",")
	}
	small := func(name, ranges string) attack {
		return attack{name, "/file/admin/attacked.bin", ranges, attackedSize}
	}
	huge := func(name, ranges string) attack { return attack{name, "/file/admin/huge.bin", ranges, hugeSize} }
	return []attack{
		small("the file 5 times", "bytes=0-"+strings.Repeat(",0-", 4)),
		small("1,000 that overlap", "bytes=0-"+strings.Repeat(",5-", 999)),
		small("16 that overlap, 1.5 files", fmt.Sprintf("bytes=0-%[1]d", attackedSize*3/32-1)+strings.Repeat(fmt.Sprintf(",5-%d", attackedSize*3/32+3), 15)),
		small("2,000 tiny ones", tiny(2000, attackedSize)),
		huge("16 tiny ones of 1 GiB", tiny(16, hugeSize)),
		huge("16 tiny ones at its end", "bytes=-1"+strings.Repeat(",-1", 15)),
	}
}

// benchRanges measures what range attacks cost a server and what they make it
// send, each as the mean of many requests.
func benchRanges(ctx context.Context, s settings, dir string) ([]row, error) {
	sluice, token, err := startWith(ctx, s, dir,
		content{"attacked.bin", io.LimitReader(zeros{}, attackedSize), attackedSize}, content{"huge.bin", io.LimitReader(zeros{}, hugeSize), hugeSize})
	if err != nil {
		return nil, err
	}
	defer sluice.stop()
	settle()
	var rows []row
	for _, a := range attacks() {
		cost, sent, err := strike(sluice, token, a)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a.name, err)
		}
		rows = append(rows,
			atMost("range attack, "+a.name+": server CPU of a request", float64(cost.Microseconds())/1000, 50, "ms"),
			atMost("range attack, "+a.name+": sent", float64(sent)/float64(a.size), 1.51, "files")) // with the parts' headers
	}
	return rows, nil
}

// strike sends an attack many times over one connection and returns what one
// request cost the server and how many bytes its body had.
func strike(p *process, token string, a attack) (cost time.Duration, sent int64, err error) {
	conn, err := net.Dial("tcp", p.addr)
	if err != nil {
		return 0, 0, err
	}
	defer conn.Close()
	field := "Range: " + a.ranges + "\r\n\r\n"
	text := append(bytes.TrimSuffix(request(p.addr, a.path, token), []byte("\r\n")), field...)
	answers := bufio.NewReaderSize(conn, 1<<20)
	before := p.cpu()
	for range attackCount {
		if _, err := conn.Write(text); err != nil {
			return 0, 0, err
		}
		answer, err := http.ReadResponse(answers, nil)
		if err != nil {
			return 0, 0, err
		}
		n, err := io.Copy(io.Discard, answer.Body)
		if err != nil || answer.StatusCode != http.StatusOK && answer.StatusCode != http.StatusPartialContent {
			return 0, 0, fmt.Errorf("%s: %w", answer.Status, err)
		}
		sent += n
	}
	return (p.cpu() - before) / attackCount, sent / attackCount, nil
}

// zeros is an endless body.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
