package sqlitefile

import "github.com/dbmigrate/dbmigrate/pkg/wire"

// rowConverter converts the TEXT values of rows from one encoding to another, in memory that it uses again
// for each row.
type rowConverter struct {
	appendText func(out, text []byte, order unitOrder) ([]byte, error)
	order      unitOrder
	buffer     []byte
	ends       []int
	row        []wire.Value
}

// convert returns the row with its texts converted, valid until the next call. A cell below 0 means success;
// otherwise it is the one with invalid text.
func (c *rowConverter) convert(row []wire.Value) (converted []wire.Value, cell int, err error) {
	c.buffer, c.ends, c.row = c.buffer[:0], c.ends[:0], append(c.row[:0], row...)
	for i := range row {
		if row[i].Class == wire.Text {
			if c.buffer, err = c.appendText(c.buffer, row[i].Bytes, c.order); err != nil {
				return nil, i, err
			}
		}
		c.ends = append(c.ends, len(c.buffer))
	}
	// Only now does the buffer stay where it is.
	start := 0
	for i, end := range c.ends {
		if c.row[i].Class == wire.Text {
			c.row[i].Bytes = c.buffer[start:end:end]
		}
		start = end
	}
	return c.row, -1, nil
}
