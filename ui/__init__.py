"""The screens. Qt lives here and nowhere else; shows the state it is given and sends back what the operator wants."""
