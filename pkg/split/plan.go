package split

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/internal/sqltext"
)

// Plan says what a split of one database file would move, and does it.
type Plan struct {
	// At is the moment for which the policy was asked.
	At time.Time
	// Tables has every ordinary table, in the order of the schema.
	Tables []TablePlan
	// SourceBytes is the size of the file.
	SourceBytes int64
	// HotBytesEstimate is about how large the hot file will be: the pages in use without the share of the
	// cold rows.
	HotBytesEstimate int64
	// HotBytes is how large the hot file is, and 0 before WriteParts made it.
	HotBytes int64

	// Asked is how many of the rows are there that Policy.Keep names; they are hot.
	Asked int64
	// Reference names the reference tables as the schema does.
	Reference []string

	path   string
	policy *Policy
}

// TablePlan says what would move of one table.
type TablePlan struct {
	Name     string `json:"name"`
	ColdRows int64  `json:"coldRows"`
	HotRows  int64  `json:"hotRows"`
	// ColdBytes is the length of the cold rows' values, numbers as text.
	ColdBytes int64 `json:"coldBytes"`
	// Matched is how many rows the table's own rule calls cold, Meant how many that is with those that follow
	// a cold row. What of them is not among ColdRows, Stay explains.
	Matched int64  `json:"matched,omitempty"`
	Meant   int64  `json:"meant,omitempty"`
	Stay    []Stay `json:"stay,omitempty"`
}

// ColdRows is the number of rows that would move.
func (p *Plan) ColdRows() (rows int64) {
	for _, t := range p.Tables {
		rows += t.ColdRows
	}
	return rows
}

// Empty says whether nothing would move.
func (p *Plan) Empty() bool { return p.ColdRows() == 0 }

// NewPlan applies the policy to the database file at path at one moment, so that a repetition decides the
// same. The file must be a private copy that nobody changes; it is only read, and may be fenced or stamped.
//
// Errors: kind Blocked for a database that the policy does not fit or that cannot be split safely, with the
// table and the rows; those of sqlitefile.Open for a file that cannot be read exactly.
func NewPlan(ctx context.Context, path string, policy *Policy, at time.Time) (*Plan, error) {
	p := &Plan{At: at, path: path, policy: policy}
	if err := p.make(ctx); err != nil {
		return nil, fail("plan the split of", path, err)
	}
	return p, nil
}

func (p *Plan) make(ctx context.Context) error {
	info, err := os.Stat(p.path)
	if err != nil {
		return err
	}
	p.SourceBytes = info.Size()
	shape, err := readShape(ctx, p.path)
	if err != nil {
		return err
	}
	conn, err := capi.Open(p.path, capi.Snapshot)
	if err != nil {
		return err
	}
	defer conn.Close()
	d, err := decide(ctx, conn, shape, p.policy, p.At)
	if err != nil {
		return err
	}
	p.Asked, p.Reference = d.asked, d.shape.copied()
	return d.measure(ctx, p)
}

// measure counts what the decision means.
func (d *decision) measure(ctx context.Context, p *Plan) error {
	defer d.conn.Watch(ctx)()
	pages, err := d.pagesInUse()
	if err != nil {
		return err
	}
	p.HotBytesEstimate = pages.total
	for _, t := range d.shape.tables {
		m, all, err := d.measureTable(t)
		if err != nil {
			return fmt.Errorf("measure table %s: %w", t.Name, err)
		}
		p.Tables = append(p.Tables, m)
		p.HotBytesEstimate -= share(
			pages.table[t.Name],
			m.ColdBytes,
			all,
		) + share(
			pages.indexes[t.Name],
			m.ColdRows,
			m.ColdRows+m.HotRows,
		)
	}
	return nil
}

func share(bytes, part, whole int64) int64 {
	if whole == 0 {
		return 0
	}
	return int64(float64(bytes) * float64(part) / float64(whole))
}

// measureTable also returns the length of all rows' values.
func (d *decision) measureTable(t *table) (m TablePlan, all int64, err error) {
	m.Name = t.Name
	m.Matched, m.Meant, m.Stay = d.accounts[t].Matched, d.accounts[t].Meant, d.accounts[t].Stay
	if m.ColdRows, err = d.coldRows(t); err != nil {
		return m, 0, err
	}
	rows, err := number(d.conn, "SELECT count(*) FROM "+t.main())
	m.HotRows = rows - m.ColdRows
	if err != nil || m.ColdRows == 0 {
		return m, 0, err
	}
	length := "SELECT coalesce(sum(" + t.length("c") + "), 0) FROM "
	if m.ColdBytes, err = number(d.conn, length+d.sets[t].cold+" AS k CROSS JOIN "+t.main()+" AS c WHERE "+t.found("c")); err != nil {
		return m, 0, err
	}
	if m.HotRows == 0 {
		return m, m.ColdBytes, nil
	}
	all, err = number(d.conn, length+t.main()+" AS c")
	return m, all, err
}

// length is the length of a row's values.
func (t *table) length(alias string) string {
	var terms []string
	for _, name := range t.Import {
		if !t.IsRowid(name) {
			terms = append(terms, "ifnull(octet_length("+alias+"."+sqltext.Quote(name)+"), 0)")
		}
	}
	if len(terms) == 0 {
		return "1"
	}
	return strings.Join(terms, " + ")
}

// pageUse says how many bytes of pages the trees take, by table.
type pageUse struct {
	total          int64
	table, indexes map[string]int64
}

func (d *decision) pagesInUse() (pageUse, error) {
	use := pageUse{table: map[string]int64{}, indexes: map[string]int64{}}
	const sql = `SELECT s.type, s.tbl_name, sum(d.pgsize) FROM temp.dbstat('main', 1) AS d LEFT JOIN main.sqlite_schema AS s ON s.name = d.name GROUP BY 1, 2`
	err := d.conn.Query(sql, nil, func(s *capi.Stmt) error {
		kind, table, bytes := s.Text(0), s.Text(1), s.Int(2)
		use.total += bytes
		switch kind {
		case "table":
			use.table[table] += bytes
		case "index":
			use.indexes[table] += bytes
		}
		return nil
	})
	if err != nil {
		return use, fmt.Errorf("count pages: %w", err)
	}
	return use, nil
}
