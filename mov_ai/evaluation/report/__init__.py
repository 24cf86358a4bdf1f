"""Reports of an evaluation: results.json, results.csv, report.md, report.html and the pictures beside them."""
