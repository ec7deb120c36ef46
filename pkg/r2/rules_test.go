package r2

import (
	"io"
	"net/http"
	"reflect"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

func TestExpiries(t *testing.T) {
	const rules = `<LifecycleConfiguration>
<Rule><ID>all</ID><Status>Enabled</Status><Filter><Prefix></Prefix></Filter><Expiration><Days>30</Days></Expiration></Rule>
<Rule><ID>some</ID><Status>Enabled</Status><Filter><And><Prefix>users/</Prefix></And></Filter><Expiration><Days>7</Days></Expiration></Rule>
<Rule><ID>older form</ID><Status>Enabled</Status><Prefix>tmp/</Prefix><Expiration><Days>1</Days></Expiration></Rule>
<Rule><ID>off</ID><Status>Disabled</Status><Filter/><Expiration><Days>1</Days></Expiration></Rule>
<Rule><ID>uploads</ID><Status>Enabled</Status><Filter/><AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>
<Rule><ID>class</ID><Status>Enabled</Status><Filter/><Transition><Days>30</Days><StorageClass>STANDARD_IA</StorageClass></Transition></Rule>
</LifecycleConfiguration>`
	answer := func(status int, body string) step {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(status)
			io.WriteString(w, body)
		}
	}
	for _, c := range []struct {
		name   string
		answer step
		want   []Expiry
		kind   userdb.Kind
	}{
		{"rules", answer(200, rules), []Expiry{{ID: "all", Days: 30}, {ID: "some", Prefix: "users/", Days: 7}, {ID: "older form", Prefix: "tmp/", Days: 1}}, ""},
		{"none", answer(404, `<Error><Code>NoSuchLifecycleConfiguration</Code></Error>`), nil, ""},
		{"a server without rules", answer(501, `<Error><Code>NotImplemented</Code></Error>`), nil, ""},
		{"a token that may not", answer(403, `<Error><Code>AccessDenied</Code></Error>`), nil, userdb.Unauthorized},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, err := New(newFake(t, c.answer).config())
			if err != nil {
				t.Fatal(err)
			}
			got, err := client.Expiries(t.Context())
			if userdb.KindOf(err) != c.kind || !reflect.DeepEqual(got, c.want) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}
