"""What is measured: each module makes jobs and reads figures off them."""
