package metrics

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// page is OpenMetrics text. It is written here, since the library for it makes the program 2 MB larger.
type page struct{ strings.Builder }

type label struct{ name, value string }

// escaped are the characters of a label's value that the format writes in another way.
var escaped = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

func (p *page) family(name, kind, help string) {
	fmt.Fprintf(p, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

func (p *page) counter(name, help string) { p.family(name, "counter", help) }

func (p *page) gauge(name, help string, value float64, labels ...label) {
	p.family(name, "gauge", help)
	p.value(name, value, labels...)
}

func (p *page) value(name string, value float64, labels ...label) {
	p.line(name, number(value), labels...)
}

func (p *page) line(name, value string, labels ...label) {
	var list []string
	for _, l := range labels {
		list = append(list, l.name+`="`+escaped.Replace(l.value)+`"`)
	}
	if len(list) > 0 {
		name += "{" + strings.Join(list, ",") + "}"
	}
	p.WriteString(name + " " + value + "\n")
}

func (p *page) services(name string, of map[userdb.Service]int64) {
	for _, who := range services {
		p.value(name, float64(of[who]), label{"service", string(who)})
	}
}

func (p *page) histogram(name, help string, h histogram, labels ...label) {
	p.family(name, "histogram", help)
	for i, limit := range h.limits {
		p.line(name+"_bucket", strconv.Itoa(h.counts[i]), append(labels, label{"le", number(limit)})...)
	}
	p.value(name+"_sum", h.sum, labels...)
	p.line(name+"_count", strconv.Itoa(h.counts[len(h.counts)-1]), labels...)
}

// histogram counts values up to each limit; the last limit is none.
type histogram struct {
	limits []float64
	counts []int
	sum    float64
}

func newHistogram(limits []float64) histogram {
	return histogram{limits: append(limits[:len(limits):len(limits)], math.Inf(1)), counts: make([]int, len(limits)+1)}
}

func (h *histogram) observe(value float64) {
	h.sum += value
	for i, limit := range h.limits {
		if value <= limit {
			h.counts[i]++
		}
	}
}

// number is never taken for a whole one.
func number(value float64) string {
	if math.IsInf(value, 1) {
		return "+Inf"
	}
	text := strconv.FormatFloat(value, 'g', -1, 64)
	if !strings.ContainsAny(text, ".e") {
		text += ".0"
	}
	return text
}
