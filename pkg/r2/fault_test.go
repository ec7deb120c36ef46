package r2

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

func TestAnswersAreRetriedOrNamed(t *testing.T) {
	ok := stored(etagOf("x"))
	for _, test := range []struct {
		name     string
		steps    []step
		want     userdb.Kind
		words    string
		requests int
	}{
		{"429 passes", []step{answer(429, "TooManyRequests"), answer(429, "TooManyRequests"), ok}, "", "", 3},
		{"429 stays", []step{answer(429, "TooManyRequests")}, userdb.Throttled, "one write a second", 3},
		{"slow down", []step{answer(503, "SlowDown")}, userdb.Throttled, "SlowDown", 3},
		{"500 passes", []step{answer(500, "InternalError"), ok}, "", "", 2},
		{"500 stays", []step{answer(500, "InternalError")}, userdb.Unreachable, "500", 3},
		{"hang-up passes", []step{hangUp, ok}, "", "", 2},
		{"hang-up stays", []step{hangUp}, userdb.Unreachable, "EOF", 3},
		{"412", []step{answer(412, "PreconditionFailed")}, userdb.Precondition, "users/ann/database.sqlite", 1},
		{"repeated, then 412", []step{hangUp, answer(412, "PreconditionFailed")}, userdb.Precondition, "", 2},
		{"bad signature", []step{answer(403, "SignatureDoesNotMatch")}, userdb.Unauthorized, "AWS_SECRET_ACCESS_KEY", 1},
		{"unknown key", []step{answer(403, "InvalidAccessKeyId")}, userdb.Unauthorized, "AWS_ACCESS_KEY_ID", 1},
		{"expired", []step{answer(400, "ExpiredToken")}, userdb.Unauthorized, "AWS_ACCESS_KEY_ID", 1},
		{"401", []step{answer(401, "Unauthorized")}, userdb.Unauthorized, "AWS_ACCESS_KEY_ID", 1},
		{"no permission", []step{answer(403, "AccessDenied")}, userdb.Unauthorized, "Workers R2 Storage Bucket Item Write", 1},
		{"clock", []step{answer(403, "RequestTimeTooSkewed")}, userdb.Unauthorized, "clock", 1},
		{"lock", []step{answer(403, "ObjectLockedByBucketPolicy")}, userdb.Blocked, "bucket lock", 1},
		{"too large for a proxy", []step{answer(413, "EntityTooLarge")}, userdb.NotStored, "limits or alters uploads", 1},
		{"altered on the way", []step{answer(400, "InvalidDigest")}, userdb.NotStored, "limits or alters uploads", 1},
		{"400 of an unknown sender", []step{answer(400, "")}, userdb.ProtocolError, "400", 1},
		{"not implemented", []step{answer(501, "NotImplemented")}, userdb.ProtocolError, "501", 1},
		{"other bytes stored", []step{stored(etagOf("y"))}, userdb.ProtocolError, "alters uploads", 1},
		{"no ETag", []step{stored("")}, userdb.ProtocolError, "alters uploads", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := newFake(t, test.steps...)
			etag, err := server.client(t).
				Put(t.Context(), "ann/database.sqlite", strings.NewReader("x"), 1, PutOptions{IfMatch: `"e"`})
			checkError(t, err, test.want, test.words)
			if (err == nil) != (etag == etagOf("x")) {
				t.Errorf("ETag %s", etag)
			}
			requests := server.log()
			if len(requests) != test.requests {
				t.Errorf("%d requests", len(requests))
			}
			for _, request := range requests {
				if request.body != "x" || request.header.Get("If-Match") != `"e"` {
					t.Errorf("request %+v", request)
				}
			}
		})
	}
}

// TestDeletesAreRepeatedOrNot: a user's file is deleted by one request, whatever becomes of it.
func TestDeletesAreRepeatedOrNot(t *testing.T) {
	done := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }
	for _, test := range []struct {
		name    string
		first   step
		once    userdb.Kind
		repeats int
	}{
		{"done", done, "", 1},
		{"no answer", hangUp, userdb.Unreachable, 2},
		{"500", answer(500, "InternalError"), userdb.Unreachable, 2},
		{"429", answer(429, "TooManyRequests"), userdb.Throttled, 2},
		{"no permission", answer(403, "AccessDenied"), userdb.Unauthorized, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			repeated, once := newFake(t, test.first, done), newFake(t, test.first, done)
			_ = repeated.client(t).Delete(t.Context(), "k")
			if got := len(repeated.log()); got != test.repeats {
				t.Errorf("%d requests", got)
			}
			err := once.client(t).DeleteOnce(t.Context(), "ann/database.sqlite")
			checkError(t, err, test.once)
			if got := once.log(); len(got) != 1 || got[0].method != http.MethodDelete {
				t.Errorf("once: %+v", got)
			}
		})
	}
}

func TestWhatAPutSends(t *testing.T) {
	server := newFake(t, answer(500, "InternalError"), stored(etagOf("content")))
	_, err := server.client(t).
		Put(t.Context(), "k", strings.NewReader("content"), 7, PutOptions{IfNoneMatch: true, Metadata: map[string]string{"dbm-fence": "1"}})
	checkError(t, err, "")
	for _, request := range server.log() {
		header := request.header
		if header.Get("Content-Md5") != "mgNkuembtIDdJeHwKEyFVQ==" || header.Get("If-None-Match") != "*" ||
			header.Get("X-Amz-Meta-Dbm-Fence") != "1" {
			t.Errorf("headers %v", header)
		}
		// The body is proved by its MD5, which is signed, instead of a SHA-256 beside it.
		if header.Get("X-Amz-Content-Sha256") != "UNSIGNED-PAYLOAD" ||
			!strings.Contains(header.Get("Authorization"), "content-md5") {
			t.Errorf(
				"payload %q, signed headers in %q",
				header.Get("X-Amz-Content-Sha256"),
				header.Get("Authorization"),
			)
		}
		if header.Get("Accept-Encoding") != "identity" ||
			strings.Contains(header.Get("Authorization"), "accept-encoding") {
			t.Errorf(
				"Accept-Encoding %q, signed in %q",
				header.Get("Accept-Encoding"),
				header.Get("Authorization"),
			)
		}
		for name := range header {
			if strings.HasPrefix(name, "X-Amz-Checksum") || name == "X-Amz-Trailer" || name == "Expect" ||
				name == "Content-Encoding" {
				t.Errorf("R2 cannot take %s: %s", name, header.Get(name))
			}
		}
	}
}

func TestPutRefusesBeforeSending(t *testing.T) {
	for _, test := range []struct {
		name    string
		size    int64
		options PutOptions
		want    userdb.Kind
	}{
		{"longer body", 3, PutOptions{}, userdb.Internal},
		{"shorter body", 5, PutOptions{}, userdb.Internal},
		{"umlaut in a name", 4, PutOptions{Metadata: map[string]string{"größe": "5"}}, userdb.Usage},
		{"no UTF-8", 4, PutOptions{Metadata: map[string]string{"dbm-by": "j\xfcrgen"}}, userdb.Usage},
		{"a control character", 4, PutOptions{Metadata: map[string]string{"dbm-by": "a\u0085b"}}, userdb.Usage},
		{"line break", 4, PutOptions{Metadata: map[string]string{"dbm-by": "a\r\nb"}}, userdb.Usage},
		{"outer space", 4, PutOptions{Metadata: map[string]string{"dbm-by": "a "}}, userdb.Usage},
		{"upper case name", 4, PutOptions{Metadata: map[string]string{"Dbm": "a"}}, userdb.Usage},
		{"space in name", 4, PutOptions{Metadata: map[string]string{"d bm": "a"}}, userdb.Usage},
		{"too much", 4, PutOptions{Metadata: map[string]string{"a": strings.Repeat("x", MaxMetadataBytes)}}, userdb.Usage},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := newFake(t, stored(etagOf("body")))
			_, err := server.client(t).
				Put(t.Context(), "k", strings.NewReader("body"), test.size, test.options)
			checkError(t, err, test.want)
			if len(server.log()) != 0 {
				t.Error("something was sent")
			}
		})
	}
}

// TestEncodedMetadataIsCountedDecoded: R2's limit is about the text, and it travels up to three times as
// long.
func TestEncodedMetadataIsCountedDecoded(t *testing.T) {
	server := newFake(t, stored(etagOf("body")))
	bio := "=?UTF-8?Q?" + strings.Repeat("=C3=A9", 1400) + "?="
	if _, err := server.client(t).Put(t.Context(), "k", strings.NewReader("body"), 4, PutOptions{Metadata: map[string]string{"bio": bio}}); err != nil {
		t.Fatal(err)
	}
	if got := server.log()[0].header.Get("X-Amz-Meta-Bio"); got != bio {
		t.Errorf("sent %q", got)
	}
}

func TestBrokenDownloads(t *testing.T) {
	content := strings.Repeat("page of a database ", 10_000)
	half := len(content) / 2
	stall := func(w http.ResponseWriter, r *http.Request) {
		object(content, half)(w, r)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
	whole := object(content, len(content))
	corrupt := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(content)))
		w.Header().Set("ETag", string(etagOf(content)))
		io.WriteString(w, strings.Replace(content, "page", "pagE", 1))
	}
	ignoresRange := func(w http.ResponseWriter, r *http.Request) { r.Header.Del("Range"); whole(w, r) }
	otherRange := func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("Range", "bytes=90000-")
		whole(w, r)
	}
	otherETag := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "3")
		w.Header().Set("ETag", `"other"`)
		io.WriteString(w, "abc")
	}
	for _, test := range []struct {
		name     string
		steps    []step
		want     userdb.Kind
		words    string
		requests int
	}{
		{"whole", []step{whole}, "", "", 1},
		{"broken once", []step{object(content, half), whole}, "", "", 2},
		{"broken at once", []step{object(content, 0), whole}, "", "", 2},
		{"broken often, with progress", []step{object(content, half), object(content, 10), object(content, 10), object(content, 10), object(content, 10), whole}, "", "", 6},
		{"always broken without progress", []step{object(content, half), object(content, 0)}, userdb.Unreachable, "broke at byte 95000 of 190000", 3},
		{"stalled", []step{stall, whole}, "", "", 2},
		{"replaced meanwhile", []step{object(content, half), answer(412, "PreconditionFailed")}, userdb.Precondition, "", 2},
		{"resumed from the start", []step{object(content, half), ignoresRange}, userdb.ProtocolError, "bytes=95000-", 2},
		{"resumed elsewhere", []step{object(content, half), otherRange}, userdb.ProtocolError, "bytes 90000-", 2},
		{"another version", []step{otherETag}, userdb.ProtocolError, `"other"`, 1},
		{"altered bytes", []step{corrupt}, userdb.ProtocolError, "MD5", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := newFake(t, test.steps...)
			var got bytes.Buffer
			object, err := server.client(t).Get(t.Context(), "k", etagOf(content), &got)
			checkError(t, err, test.want, test.words)
			if err == nil && (got.String() != content || object.Size != int64(len(content))) {
				t.Errorf("%d bytes arrived, object %+v", got.Len(), object)
			}
			requests := server.log()
			if len(requests) != test.requests {
				t.Errorf("%d requests", len(requests))
			}
			for _, request := range requests {
				if request.header.Get("If-Match") != string(etagOf(content)) {
					t.Errorf("request without the pin: %v", request.header)
				}
			}
		})
	}
}

// TestEncodedRangeIsNotResumed: where somebody on the way codes the bytes, each request would bring a few
// more, and they would not be those of the object.
func TestEncodedRangeIsNotResumed(t *testing.T) {
	content := strings.Repeat("page of a database ", 100)
	server := newFake(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		object(content, 100)(w, r)
	})
	_, _, err := server.client(t).GetRange(t.Context(), "k", "", 0, 1000)
	checkError(t, err, userdb.Blocked, `stored with Content-Encoding "gzip"`)
	if requests := len(server.log()); requests != 1 {
		t.Errorf("%d requests", requests)
	}
}

func TestGetWithoutPinResumesTheVersionItSaw(t *testing.T) {
	server := newFake(t, object("0123456789", 4), object("0123456789", 10))
	var got bytes.Buffer
	if _, err := server.client(t).Get(t.Context(), "k", "", &got); err != nil ||
		got.String() != "0123456789" {
		t.Fatalf("%q, %v", got.String(), err)
	}
	resumed := server.log()[1].header
	if resumed.Get("If-Match") != string(etagOf("0123456789")) || resumed.Get("Range") != "bytes=4-9" {
		t.Errorf("resumed with %v", resumed)
	}
}

func TestMultipartETagIsNoMD5(t *testing.T) {
	server := newFake(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", `"d41d8cd98f00b204e9800998ecf8427e-3"`)
		io.WriteString(w, "parts")
	})
	if _, err := server.client(t).Get(t.Context(), "k", "", &bytes.Buffer{}); err != nil {
		t.Error(err)
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestOwnWriterIsNotTheServersFault(t *testing.T) {
	server := newFake(t, object("content", 7))
	_, err := server.client(t).Get(t.Context(), "k", "", fullDisk{})
	checkError(t, err, userdb.Internal, "disk full")
	if len(server.log()) != 1 {
		t.Errorf("%d requests", len(server.log()))
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	elsewhere := newFake(t, object("content", 7))
	server := newFake(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL+r.URL.Path, http.StatusTemporaryRedirect)
	})
	config := server.config()
	for name, client := range map[string]*http.Client{"own": nil, "given": {Timeout: time.Minute}} {
		config.HTTP = client
		_, err := newClient(t, config).Get(t.Context(), "k", "", &bytes.Buffer{})
		checkError(t, err, userdb.ProtocolError, "307", "endpoint")
		if len(elsewhere.log()) != 0 {
			t.Fatalf("%s client followed: %v", name, elsewhere.log())
		}
	}
}

func TestLoginPageIsNoListing(t *testing.T) {
	server := newFake(t, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "<html><body>Sign in<br></body></html>")
	})
	err := server.client(t).
		List(t.Context(), "", "", func([]Object, []string) error { return errors.New("a page was made of it") })
	checkError(t, err, userdb.ProtocolError)
}

func TestNobodyThereAndInterrupted(t *testing.T) {
	server := newFake(t, object("content", 7))
	config := server.config()
	server.Close()
	_, err := newClient(t, config).Head(t.Context(), "k")
	checkError(t, err, userdb.Unreachable, "connection refused", "check the endpoint")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = newClient(t, config).Head(ctx, "k")
	checkError(t, err, userdb.Interrupted)
}

func TestSilenceIsNotWaitedForSixTimes(t *testing.T) {
	answered := make(chan struct{})
	server := newFake(t, func(http.ResponseWriter, *http.Request) { <-answered })
	defer close(answered)
	config := server.config()
	config.MaxAttempts = defaultMaxAttempts
	transport := defaultTransport()
	transport.ResponseHeaderTimeout = 10 * time.Millisecond
	config.HTTP = &http.Client{Transport: transport}
	_, err := newClient(t, config).Head(t.Context(), "k")
	checkError(t, err, userdb.Unreachable, "check the endpoint")
	if n := len(server.log()); n != mostSilences {
		t.Errorf("%d attempts, not %d", n, mostSilences)
	}
}

func TestListingGoesThroughAllPages(t *testing.T) {
	page := func(body string) step {
		return func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(
				w,
				`<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`+body+`</ListBucketResult>`,
			)
		}
	}
	server := newFake(
		t,
		page(
			`<IsTruncated>true</IsTruncated><NextContinuationToken>more/=</NextContinuationToken><EncodingType>url</EncodingType><Contents><Key>a%01b+c%2Bd</Key></Contents>`,
		),
		page(`<IsTruncated>false</IsTruncated><Contents><Key>e%20f</Key></Contents>`),
	)
	names := collect(t, func(yield func([]Object, []string) error) error {
		return server.client(t).List(t.Context(), "p", "", yield)
	})
	if len(names) != 2 || names[0] != "a\x01b c+d" || names[1] != "e%20f" {
		t.Errorf("names %q", names)
	}
	if second := server.log()[1].path; !strings.Contains(second, "continuation-token=more%2F%3D") {
		t.Errorf("second request %s", second)
	}
}

// A caller who brings the MD5 is believed, and R2 is the one to find a wrong one out.
func TestPutTakesTheCallersMD5(t *testing.T) {
	server := newFake(t, stored(etagOf("content")))
	sum := md5.Sum([]byte("content"))
	if _, err := server.client(t).Put(t.Context(), "k", strings.NewReader("content"), 7, PutOptions{MD5: sum[:]}); err != nil {
		t.Error(err)
	}
	if got := server.log()[0].header.Get("Content-Md5"); got != "mgNkuembtIDdJeHwKEyFVQ==" {
		t.Errorf("Content-MD5 %q", got)
	}
	_, err := server.client(t).
		Put(t.Context(), "k", strings.NewReader("content"), 7, PutOptions{MD5: sum[:5]})
	checkError(t, err, userdb.Usage)
}

// The answer to a HEAD has no code: its Date says that the clock is wrong, and not the key.
func TestHeadByAWrongClock(t *testing.T) {
	for off, words := range map[time.Duration]string{time.Hour: "set this machine's clock", time.Minute: "AWS_ACCESS_KEY_ID"} {
		server := newFake(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", time.Now().Add(-off).UTC().Format(http.TimeFormat))
			w.WriteHeader(http.StatusForbidden)
		})
		_, err := server.client(t).Head(t.Context(), "ann/database.sqlite")
		checkError(t, err, userdb.Unauthorized, words)
	}
}
