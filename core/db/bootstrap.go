package db

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Bootstrap makes the four roles and an empty database owned by RoleOwner, on a server that has none of them yet; what is there
// already stays. superURL is a superuser's address of any database of that server (the embedded server's). The roles
// log in without a password: on a server of your own, make them by hand as the README says.
func Bootstrap(ctx context.Context, superURL, database string) error {
	conn, err := pgx.Connect(ctx, superURL)
	if err != nil {
		return fmt.Errorf("db: bootstrap: %w", Fault(err))
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	for _, role := range []string{RoleOwner, RoleApp, RoleSystem, RoleRead} {
		create := "CREATE ROLE " + role + " LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS"
		if err := makeOnce(ctx, conn, create, "42710"); err != nil {
			return err
		}
	}
	name := pgx.Identifier{database}.Sanitize()
	if err := makeOnce(ctx, conn, "CREATE DATABASE "+name+" OWNER "+RoleOwner+" TEMPLATE template0 ENCODING 'UTF8'", "42P04"); err != nil {
		return err
	}
	// by default everybody may connect to a database and make temporary tables in it
	for _, sql := range []string{
		"REVOKE ALL ON DATABASE " + name + " FROM PUBLIC",
		"GRANT CONNECT ON DATABASE " + name + " TO " + RoleApp + ", " + RoleSystem + ", " + RoleRead,
	} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("db: bootstrap: %w", err)
		}
	}
	return nil
}

// makeOnce runs a CREATE that may have been done before: exists is the SQLSTATE that says so. 23505 is the answer
// when two programs create the same thing at the same moment.
func makeOnce(ctx context.Context, conn *pgx.Conn, create, exists string) error {
	_, err := conn.Exec(ctx, create)
	var pg *pgconn.PgError
	if errors.As(err, &pg) && (pg.Code == exists || pg.Code == "23505") {
		return nil
	}
	if err != nil {
		return fmt.Errorf("db: bootstrap: %w", err)
	}
	return nil
}

// AsRole is the address with another role in it and the password, if any, kept.
func AsRole(address, role string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme == "" {
		return "", fmt.Errorf("db: address must be a URL (postgres://role:password@host/database)")
	}
	if password, ok := u.User.Password(); ok {
		u.User = url.UserPassword(role, password)
	} else {
		u.User = url.User(role)
	}
	return u.String(), nil
}
