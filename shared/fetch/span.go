package fetch

import "slices"

// span is the bytes from Start up to, and without, End.
type span struct{ Start, End int64 }

func (s span) length() int64 { return s.End - s.Start }

// overlap returns what two spans share; its length is negative or zero where
// that is nothing.
func (s span) overlap(o span) span {
	return span{max(s.Start, o.Start), min(s.End, o.End)}
}

// spans is a set of bytes: in order, without overlap, and never touching. A
// method returns a set and leaves the one it was called on alone.
type spans []span

// add returns the set with n in it.
func (s spans) add(n span) spans {
	if n.length() <= 0 {
		return s
	}
	from, _ := slices.BinarySearchFunc(s, n.Start, func(e span, start int64) int { return compare(e.End, start) })
	to := from
	for to < len(s) && s[to].Start <= n.End {
		n = span{min(n.Start, s[to].Start), max(n.End, s[to].End)}
		to++
	}
	return slices.Concat(s[:from], spans{n}, s[to:])
}

// remove returns the set without n.
func (s spans) remove(n span) spans {
	var out spans
	for _, e := range s {
		if shared := e.overlap(n); shared.length() <= 0 {
			out = append(out, e)
			continue
		}
		if e.Start < n.Start {
			out = append(out, span{e.Start, n.Start})
		}
		if n.End < e.End {
			out = append(out, span{n.End, e.End})
		}
	}
	return out
}

// bytes returns how many bytes the set holds.
func (s spans) bytes() int64 {
	var sum int64
	for _, e := range s {
		sum += e.length()
	}
	return sum
}

// contains reports whether all of n is in the set.
func (s spans) contains(n span) bool {
	for _, e := range s {
		if e.Start <= n.Start && n.End <= e.End {
			return true
		}
	}
	return n.length() <= 0
}

// gaps returns what of within is not in the set, in order.
func (s spans) gaps(within span) spans {
	if within.length() <= 0 {
		return nil
	}
	return spans{within}.removeAll(s)
}

func (s spans) removeAll(o spans) spans {
	for _, e := range o {
		s = s.remove(e)
	}
	return s
}

// intersect returns what both sets hold.
func (s spans) intersect(o spans) spans {
	var out spans
	for _, a := range s {
		for _, b := range o {
			out = out.add(a.overlap(b))
		}
	}
	return out
}

// frontier returns where the first gap begins.
func (s spans) frontier() int64 {
	if len(s) == 0 || s[0].Start > 0 {
		return 0
	}
	return s[0].End
}

// valid reports whether s is a set within size bytes, as one read from a file
// must be.
func (s spans) valid(size int64) bool {
	end := int64(-1)
	for _, e := range s {
		if e.Start <= end || e.End <= e.Start || e.End > size {
			return false
		}
		end = e.End
	}
	return true
}

func compare(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
