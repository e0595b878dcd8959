DROP INDEX certificates_status_idx;
