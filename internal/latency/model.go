// Package latency says how long requests of the application take: by the model of the benchmark, and as a
// router observed them.
package latency

import "time"

// Model is how long a request takes. A file is loaded for each request, and saved for each that writes, so
// that time grows with its size. A Durable Object has its database at hand.
type Model struct {
	Read, ReadPerMB   float64 // milliseconds
	Write, WritePerMB float64
	AfterRead         float64
	AfterWrite        float64
}

// Bench is the line through the two databases of the table "A request of the application" in
// docs/performance.md, which `make bench` measures on one machine. In production every call of R2 crosses a
// network, too.
var Bench = modelOf(
	point{1.2, 4.16, 28.10, 0.68, 1.25},
	point{11.7, 11.18, 171.04, 0.56, 1.00},
)

// point is what was measured with a database of so many megabytes, in milliseconds.
type point struct{ mb, read, write, afterRead, afterWrite float64 }

func modelOf(s, m point) Model {
	read, write := (m.read-s.read)/(m.mb-s.mb), (m.write-s.write)/(m.mb-s.mb)
	return Model{
		Read: s.read - read*s.mb, ReadPerMB: read,
		Write: s.write - write*s.mb, WritePerMB: write,
		AfterRead: (s.afterRead + m.afterRead) / 2, AfterWrite: (s.afterWrite + m.afterWrite) / 2,
	}
}

// Before is the time of a request on a file of so many bytes.
func (m Model) Before(bytes int64, writes bool) time.Duration {
	mb := float64(bytes) / 1e6
	if writes {
		return milliseconds(m.Write + m.WritePerMB*mb)
	}
	return milliseconds(m.Read + m.ReadPerMB*mb)
}

// After is that of a request on a Durable Object.
func (m Model) After(writes bool) time.Duration {
	if writes {
		return milliseconds(m.AfterWrite)
	}
	return milliseconds(m.AfterRead)
}

func milliseconds(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }
