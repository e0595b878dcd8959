package db

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// speakUUID teaches a new connection about ids.
func speakUUID(_ context.Context, conn *pgx.Conn) error {
	one := &pgtype.Type{Name: "uuid", OID: pgtype.UUIDOID, Codec: uuidCodec{}}
	conn.TypeMap().RegisterType(one)
	conn.TypeMap().RegisterType(&pgtype.Type{Name: "_uuid", OID: pgtype.UUIDArrayOID, Codec: &pgtype.ArrayCodec{ElementType: one}})
	return nil
}

// uuidCodec carries google/uuid ids in PostgreSQL's binary form. By themselves they are a driver.Valuer and a sql.Scanner, and
// pgx writes and reads those as text, through reflection: a tenth of the program's processor time.
type uuidCodec struct{ pgtype.UUIDCodec }

// PlanEncode implements pgtype.Codec.
func (c uuidCodec) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if _, ok := value.(uuid.UUID); ok && format == pgtype.BinaryFormatCode {
		return encodeUUID{}
	}
	return c.UUIDCodec.PlanEncode(m, oid, format, value)
}

// PlanScan implements pgtype.Codec.
func (c uuidCodec) PlanScan(m *pgtype.Map, oid uint32, format int16, target any) pgtype.ScanPlan {
	if _, ok := target.(*uuid.UUID); ok && format == pgtype.BinaryFormatCode {
		return scanUUID{}
	}
	return c.UUIDCodec.PlanScan(m, oid, format, target)
}

type encodeUUID struct{}

func (encodeUUID) Encode(value any, buf []byte) ([]byte, error) {
	id, ok := value.(uuid.UUID)
	if !ok {
		return nil, fmt.Errorf("db: %T is no id", value)
	}
	return append(buf, id[:]...), nil
}

type scanUUID struct{}

// Scan reads NULL as uuid.Nil.
func (scanUUID) Scan(src []byte, target any) (err error) {
	id, ok := target.(*uuid.UUID)
	switch {
	case !ok:
		return fmt.Errorf("db: %T takes no id", target)
	case src == nil:
		*id = uuid.Nil
		return nil
	}
	*id, err = uuid.FromBytes(src)
	return err
}
