package metrics

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

func example() *Run {
	r := New("migrate", "20261126T040000Z-1a2b3c4d", `v1 "x"`, 5, time.Unix(1_795_665_600, 0), Source{
		InFlight: func() int { return 3 },
		Traffic: func() (calls, throttled map[userdb.Service]int64) {
			return map[userdb.Service]int64{
					userdb.ServiceKV: 7,
				}, map[userdb.Service]int64{
					userdb.ServiceKV: 2,
				}
		}})
	r.Done("migrated", 1_000_000, 2*time.Second, 300*time.Millisecond)
	r.Done("migrated", 2_000_000, 40*time.Second, 0)
	r.Done("failed", 0, time.Second, 0)
	return r
}

// parse reads OpenMetrics by its grammar.
func parse(t *testing.T, text string) map[string]*dto.MetricFamily {
	t.Helper()
	families, decoder := map[string]*dto.MetricFamily{}, expfmt.NewDecoder(
		strings.NewReader(text),
		expfmt.NewFormat(expfmt.TypeOpenMetrics),
	)
	for {
		var f dto.MetricFamily
		err := decoder.Decode(&f)
		if errors.Is(err, io.EOF) {
			return families
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		families[strings.TrimSuffix(f.GetName(), "_total")] = &f
	}
}

func value(t *testing.T, f *dto.MetricFamily, label, wanted string) float64 {
	t.Helper()
	for _, m := range f.GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetName() == label && l.GetValue() == wanted {
				return m.GetUntyped().GetValue() + m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	t.Errorf("%s has no %s=%s: %v", f.GetName(), label, wanted, f)
	return 0
}

func check(t *testing.T, text string) {
	t.Helper()
	if !strings.HasSuffix(text, "\n# EOF\n") || !strings.Contains(text, "# TYPE dbmigrate_users counter\n") {
		t.Errorf("no OpenMetrics:\n%s", text)
	}
	// node_exporter's textfile collector reads with the parser of the older format, which takes this, too.
	parser := expfmt.NewTextParser(model.UTF8Validation)
	if old, err := parser.TextToMetricFamilies(strings.NewReader(text)); err != nil ||
		old["dbmigrate_users_total"] == nil {
		t.Errorf("the textfile collector does not read it: %v", err)
	}
	f := parse(t, text)
	for _, want := range []struct {
		name, label, is string
		value           float64
	}{
		{"dbmigrate_users_total", "outcome", "migrated", 2}, {"dbmigrate_users_total", "outcome", "failed", 1},
		{"dbmigrate_bytes_total", "action", "migrate", 3_000_000}, {"dbmigrate_users_in_flight", "action", "migrate", 3},
		{"dbmigrate_users_chosen", "action", "migrate", 5}, {"dbmigrate_run_start_time_seconds", "action", "migrate", 1_795_665_600},
		{"dbmigrate_requests_total", "service", "KV API", 7}, {"dbmigrate_throttled_total", "service", "KV API", 2},
		{"dbmigrate_throttled_total", "service", "R2", 0}, {"dbmigrate_run_info", "version", `v1 "x"`, 1},
	} {
		if got := value(t, f[strings.TrimSuffix(want.name, "_total")], want.label, want.is); got != want.value {
			t.Errorf("%s{%s=%q} is %v, not %v", want.name, want.label, want.is, got, want.value)
		}
	}
	took, windows := f["dbmigrate_user_duration_seconds"].GetMetric()[0].GetHistogram(), f["dbmigrate_write_window_seconds"].GetMetric()[0].GetHistogram()
	if took.GetSampleCount() != 3 || took.GetSampleSum() != 43 || windows.GetSampleCount() != 1 {
		t.Errorf("histograms %v, %v", took, windows)
	}
}

func TestFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "dbmigrate.prom")
	r := example()
	for range 2 {
		if err := r.WriteFile(path); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	check(t, string(text))
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
	if err := r.WriteFile(filepath.Join(dir, "absent", "x.prom")); err == nil {
		t.Error("a folder that is not there is no error")
	}
}
