package wire

import "fmt"

// Batcher turns rows of many tables into batches. It holds one frame and one batch; with the bodies in flight
// that is all the memory of an import, whatever the database's size. Not for concurrent use, except Recycle.
type Batcher struct {
	maxBytes int // what a batch should not exceed
	limit    int // what it must not exceed
	emit     func(body []byte, rows int) error
	frame    *Frame
	batch    *Batch
	free     chan []byte
}

// keptBodies is how many bodies Recycle keeps; more only wait for the garbage collector.
const keptBodies = 8

// framesPerBatch is how many full frames fill a batch: one of more than half of it would leave the rest
// empty.
const framesPerBatch = 2

// NewBatcher returns a Batcher that hands each batch of at most batchBytes to emit; only a single row
// that is longer by itself makes a longer one, up to limits.BatchBytes. The body belongs to emit's side
// until that gives it back with Recycle, so it may be sent while the next is being filled.
func NewBatcher(limits Limits, batchBytes int64, emit func(body []byte, rows int) error) *Batcher {
	b := &Batcher{
		maxBytes: int(min(batchBytes, limits.BatchBytes)),
		limit:    int(limits.BatchBytes),
		emit:     emit,
		free:     make(chan []byte, keptBodies),
	}
	b.frame = NewFrame("", nil, min(limits.FrameBytes, int64(b.maxBytes)/framesPerBatch))
	b.batch = NewBatch(b.buffer())
	return b
}

// Table says which table's rows come next and in which columns.
func (b *Batcher) Table(table string, columns []string) error {
	if err := b.endFrame(); err != nil {
		return err
	}
	b.frame.SetTable(table, columns)
	return nil
}

// Add takes the next row of the table and copies it.
func (b *Batcher) Add(row []Value) error {
	if b.frame.Add(row) {
		return nil
	}
	if err := b.endFrame(); err != nil {
		return err
	}
	if b.frame.Add(row) {
		return nil
	}
	return b.addLong(row)
}

func (b *Batcher) addLong(row []Value) error {
	header := len(
		frameHeaderJSON(
			FrameHeader{Table: b.frame.table, Columns: b.frame.columns, Rows: 1, From: b.frame.sent},
		),
	)
	size := frameOverhead + header + 4 + maxRowSize(row)
	if size+len(batchMagic) > b.limit {
		return fmt.Errorf(
			"encode a row of table %.80q: about %d bytes, and a request holds %d",
			b.frame.table,
			size,
			b.limit,
		)
	}
	if err := b.makeRoom(size); err != nil {
		return err
	}
	b.batch.AppendRow(b.frame.table, b.frame.columns, b.frame.sent, row)
	b.frame.sent++
	return nil
}

func (b *Batcher) endFrame() error {
	if b.frame.Rows() == 0 {
		return nil
	}
	if err := b.makeRoom(b.frame.Size()); err != nil {
		return err
	}
	b.frame.AppendTo(b.batch)
	return nil
}

// makeRoom sends the batch when so many bytes more would make it too long.
func (b *Batcher) makeRoom(size int) error {
	if b.batch.Rows() == 0 || b.batch.Len()+size <= b.maxBytes {
		return nil
	}
	return b.send()
}

// Flush sends what is left. Call it once, after the last row.
func (b *Batcher) Flush() error {
	if err := b.endFrame(); err != nil {
		return err
	}
	if b.batch.Rows() == 0 {
		return nil
	}
	return b.send()
}

func (b *Batcher) send() error {
	err := b.emit(
		b.batch.Bytes(),
		b.batch.Rows(),
	) // may wait until a body has come back, which is then the next
	b.batch = NewBatch(b.buffer())
	return err
}

func (b *Batcher) buffer() []byte {
	select {
	case body := <-b.free:
		return body
	default:
		return make([]byte, 0, b.maxBytes)
	}
}

// Recycle gives back the memory of a body that emit got and that nobody reads any more. It may be called from
// any goroutine.
func (b *Batcher) Recycle(body []byte) {
	select {
	case b.free <- body:
	default:
	}
}
