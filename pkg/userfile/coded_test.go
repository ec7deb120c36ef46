package userfile

import (
	"context"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// codedOnTheWay has objects with a Content-Encoding, where not even the beginning arrives as it is stored.
type codedOnTheWay struct{ Reader }

func (codedOnTheWay) GetRange(
	context.Context, userdb.ObjectKey, userdb.ETag, int64, int64,
) ([]byte, userdb.Object, error) {
	object := userdb.Object{Headers: userdb.Headers{ContentEncoding: "gzip"}}
	return nil, userdb.Object{}, &userdb.Error{
		Op: "get", Thing: "k", Kind: userdb.Blocked, Err: &userdb.EncodedError{Object: object},
	}
}

func TestFirstLookNamesAContentEncoding(t *testing.T) {
	source := Source{Files: codedOnTheWay{}}
	report, _, sure, err := source.FirstLook(t.Context(), "alice")
	if err != nil || !sure || len(report.Findings) != 1 ||
		report.Findings[0].Reason != sqlitefile.ReasonContentEncoding {
		t.Errorf("it says %+v, sure: %v, %v", report, sure, err)
	}
}
