-- Who checks a certificate names its issuer and serial number, and knows nothing of tenants (RFC 6960 §4.1.1).
CREATE INDEX certificates_status_idx ON certificates (authority_id, serial) WHERE authority_id IS NOT NULL;
