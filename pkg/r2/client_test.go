package r2

import (
	"strings"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

func TestNewRefuses(t *testing.T) {
	good := Config{
		Endpoint:        "https://abc.r2.cloudflarestorage.com",
		Bucket:          "b",
		AccessKeyID:     "id",
		SecretAccessKey: fakeSecret,
	}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Config){
		"no bucket":            func(c *Config) { c.Bucket = "" },
		"no endpoint":          func(c *Config) { c.Endpoint = "" },
		"no scheme":            func(c *Config) { c.Endpoint = "abc.r2.cloudflarestorage.com" },
		"another scheme":       func(c *Config) { c.Endpoint = "s3://b" },
		"credentials in URL":   func(c *Config) { c.Endpoint = "https://id:" + fakeSecret + "@host" },
		"unreadable with them": func(c *Config) { c.Endpoint = "https://id:" + fakeSecret + "@host:port" },
		"no key":               func(c *Config) { c.AccessKeyID = "" },
		"no secret":            func(c *Config) { c.SecretAccessKey = "" },
		"negative attempts":    func(c *Config) { c.MaxAttempts = -1 },
	} {
		t.Run(name, func(t *testing.T) {
			config := good
			spoil(&config)
			_, err := New(config)
			checkError(t, err, userdb.Usage)
		})
	}
}

func TestBackoffGrowsToItsMost(t *testing.T) {
	for _, test := range []struct {
		failures  int
		throttled bool
		least     time.Duration
	}{
		{1, false, 200 * time.Millisecond}, {2, false, 400 * time.Millisecond}, {9, false, 10 * time.Second},
		{1, true, time.Second}, {3, true, 4 * time.Second}, {40, true, 10 * time.Second},
	} {
		for range 100 {
			if got := defaultWaits.delay(test.failures, test.throttled); got < test.least ||
				got > test.least*5/4 {
				t.Fatalf("delay(%d, %v) = %v", test.failures, test.throttled, got)
			}
		}
	}
}

func TestMD5Of(t *testing.T) {
	const sum = "d41d8cd98f00b204e9800998ecf8427e"
	for etag, want := range map[userdb.ETag]bool{
		`"` + sum + `"`: true, sum: true, userdb.ETag(strings.ToUpper(sum)): true, `"` + sum + `-2"`: false, `"abc"`: false, "": false,
	} {
		if got, ok := md5Of(etag); ok != want || (ok && got != sum) {
			t.Errorf("md5Of(%s) = %s, %v", etag, got, ok)
		}
	}
}
