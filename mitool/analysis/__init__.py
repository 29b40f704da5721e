"""What looks inside a model: a subject in, a frozen result of claims and arrays out."""
