"""The toolkit for what people see: units, tables, terminal, pages, figures. It knows no subject."""
